// Waiting that can be cut short. A bell that rings while nobody waits is heard by the next who does.

export function makeBell() {
  let rung = false;
  let wake;
  return {
    ring() {
      rung = true;
      wake?.();
    },

    silence() {
      rung = false;
    },

    async wait(milliseconds) {
      if (!rung) {
        let timer;
        await new Promise((resolve) => {
          wake = resolve;
          timer = setTimeout(resolve, milliseconds);
        });
        clearTimeout(timer);
        wake = undefined;
      }
      rung = false;
    },
  };
}

taken = []
while True:
    taken.append(b"x" * (1 << 26))

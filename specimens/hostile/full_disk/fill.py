import tempfile

with tempfile.NamedTemporaryFile(delete=False) as file:
    while True:
        file.write(b"x" * (1 << 24))

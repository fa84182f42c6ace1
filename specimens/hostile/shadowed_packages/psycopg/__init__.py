def __getattr__(name):
    return lambda *arguments, **options: 0

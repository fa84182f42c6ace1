print("INFO  Running upgrade  -> 0003, head")

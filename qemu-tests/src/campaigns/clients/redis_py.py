"""redis-py with its defaults, or with the parser that the second argument names. Exits with 77 if it is missing."""

import json
import select
import sys
import threading

try:
    import redis

    if sys.argv[2:] == ["hiredis"]:
        import hiredis  # noqa: F401
    elif redis.utils.HIREDIS_AVAILABLE:
        redis.utils.HIREDIS_AVAILABLE = False
        redis.connection.DefaultParser = redis.connection._RESP2Parser
except ImportError as error:
    print(error)
    sys.exit(77)

client = redis.Redis(port=int(sys.argv[1]))
key = "clients:" + "-".join(["redis-py"] + sys.argv[2:])
client.delete(key)
lock = threading.Lock()
calls = errors = acknowledged = unsure = 0


def attempt(count, act):
    """Makes calls that increase the key `count` times in all."""
    global calls, errors, acknowledged, unsure
    failed = 0
    try:
        act()
    except Exception as error:
        failed = 1
        print("error", repr(error), flush=True)
    with lock:
        calls += max(count, 1)
        errors += failed
        acknowledged += 0 if failed else count
        unsure += count if failed else 0


def pipeline(transaction):
    pipe = client.pipeline(transaction=transaction)
    for _ in range(10):
        pipe.incr(key)
    replies = pipe.execute()
    assert replies == list(range(replies[0], replies[0] + 10)), replies


def pooled():
    for _ in range(5):
        attempt(1, lambda: client.incr(key))


def store():
    value = "v%d" % calls
    client.set(key + ":value", value, ex=100)
    assert client.get(key + ":value") == value.encode()


while not select.select([sys.stdin], [], [], 0)[0]:
    for _ in range(10):
        attempt(1, lambda: client.incr(key))
    attempt(10, lambda: pipeline(False))
    attempt(10, lambda: pipeline(True))
    attempt(0, store)
    threads = [threading.Thread(target=pooled) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    print("round", flush=True)

found = int(client.get(key))
errors += found > acknowledged + unsure
print(json.dumps({"calls": calls, "errors": errors, "lost": max(0, acknowledged - found)}))

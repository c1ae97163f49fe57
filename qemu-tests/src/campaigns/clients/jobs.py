"""What is built on redis-py, each doing a job: a queue, a cache, sessions. Exits with 77 if it is not installed."""

import json
import select
import sys

port, name = int(sys.argv[1]), sys.argv[2]


def huey():
    from huey import RedisHuey

    queue = RedisHuey("clients", port=port)
    queue.storage.flush_all()
    task = queue.task()(lambda number: abs(number))

    def work(number):
        result = task(-number)
        queue.execute(queue.dequeue())
        return result.get()

    return work


def django():
    from django.conf import settings

    backend = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:%d/0" % port}
    settings.configure(CACHES={"default": backend})
    from django.core.cache import cache

    def work(number):
        cache.set_many({"clients:a": number, "clients:b": [number]}, timeout=100)
        assert cache.get_or_set("clients:a", 0) == number
        cache.delete("clients:b")
        assert cache.get("clients:b") is None
        cache.set("clients:n", number)
        return cache.incr("clients:n", 0)

    return work


def flask_session():
    import flask
    import redis
    from flask_session import Session

    app = flask.Flask("clients")
    app.config.update(SESSION_TYPE="redis", SESSION_REDIS=redis.Redis(port=port))
    Session(app)

    @app.route("/<int:number>")
    def visit(number):
        last = flask.session.get("last", number)
        flask.session["last"] = number
        return str(last)

    browser = app.test_client()

    def work(number):
        browser.get("/%d" % number)
        return int(browser.get("/%d" % number).text)

    return work


try:
    work = {"huey": huey, "django-cache": django, "flask-session": flask_session}[name]()
except ImportError as error:
    print(error)
    sys.exit(77)
calls = errors = lost = 0
while not select.select([sys.stdin], [], [], 0)[0]:
    calls += 1
    try:
        lost += work(calls) != calls
    except Exception as error:
        errors += 1
        print("error", repr(error), flush=True)
    print("round", flush=True)
print(json.dumps({"calls": calls, "errors": errors, "lost": lost}))

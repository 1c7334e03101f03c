import asyncio

VERSION = "back end 1"


async def app(scope, receive, send):
    assert scope["type"] == "http"
    while scope["path"] == "/read" and (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-type", b"text/plain")]})
    while scope["path"] == "/stream":  # it never ends
        await send({"type": "http.response.body", "body": b".",
                    "more_body": True})
        await asyncio.sleep(0.1)
    await send({"type": "http.response.body", "body": VERSION.encode()})

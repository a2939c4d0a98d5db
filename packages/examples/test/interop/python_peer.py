"""
A peer of websockets (10.4). Each line of its input asks for something in JSON, and is answered by a line with the same id.
It ends with its input.
"""
import asyncio
import base64
import http
import json
import ssl
import sys
from urllib.parse import parse_qs, urlsplit

import websockets

connections = {}
servers = {}


def load(message):
    return message["text"] if "text" in message else base64.b64decode(message["data"])


def dump(message):
    return {"text": message} if isinstance(message, str) else {"data": base64.b64encode(message).decode()}


async def connect(id, url, ca, protocols, origin):
    tls = ssl.create_default_context(cafile=ca) if url.startswith("wss:") else None
    try:
        client = await websockets.connect(url, ssl=tls, subprotocols=protocols or None, origin=origin)
    except websockets.InvalidStatusCode as error:
        return {"refused": error.status_code}
    connections[id] = client
    names = [extension.name for extension in client.extensions]
    return {"protocol": client.subprotocol or "", "extensions": names}


async def send(id, on, message):
    await connections[on].send(load(message))


async def fragments(id, on, parts, ping):
    client = connections[on]

    async def each():
        yield load(parts[0])
        await (await client.ping(ping))
        for part in parts[1:]:
            yield load(part)

    await client.send(each())


async def ping(id, on, payload):
    await (await connections[on].ping(load(payload)))


async def receive(id, on):
    return dump(await connections[on].recv())


async def close(id, on, code, reason):
    await connections[on].close(code, reason)


async def closed(id, on):
    client = connections[on]
    await client.wait_closed()
    return [client.close_code, client.close_reason]


async def drop(id, on):
    if on in connections:
        connections.pop(on).transport.abort()


async def serve(id, certificate, key):
    ended = asyncio.Queue()

    async def behave(client, path):
        url = urlsplit(path)
        if url.path == "/close":
            query = parse_qs(url.query, keep_blank_values=True)
            await client.close(int(query["code"][0]), query["reason"][0])
        elif url.path == "/ping":
            await (await client.ping("are you there?"))
            await client.send("ponged are you there?")
        elif url.path == "/fragments":
            size = 10_000
            mebibyte = (b"0123456789abcdef wirestack!" * 40_000)[:1_048_576]
            await client.send(["Gr", "ü", "ße"])
            await client.send([mebibyte[at : at + size] for at in range(0, len(mebibyte), size)])
        elif url.path == "/extensions":
            await client.send(json.dumps([extension.name for extension in client.extensions]))
        try:
            while True:
                await client.send(await client.recv())
        except websockets.ConnectionClosed:
            pass
        ended.put_nowait([client.close_code, client.close_reason])

    async def judge(path, headers):
        if path == "/private":
            return http.HTTPStatus.UNAUTHORIZED, {"WWW-Authenticate": "Bearer"}, b"who are you?"

    tls = None
    if certificate is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate, key)
    server = await websockets.serve(
        behave, "127.0.0.1", 0, ssl=tls, subprotocols=["chat.v2"], process_request=judge
    )
    servers[id] = (server, ended)
    return server.sockets[0].getsockname()[1]


async def ended(id, on):
    return await servers[on][1].get()


async def stop(id, on):
    server, _ = servers.pop(on)
    server.close()
    await server.wait_closed()


commands = [connect, send, fragments, ping, receive, close, closed, drop, serve, ended, stop]
by_name = {command.__name__: command for command in commands}


async def answer(request):
    id, name = request.pop("id"), request.pop("do")
    try:
        result = {"value": await by_name[name](id, **request)}
    except Exception as error:
        result = {"error": repr(error)}
    print(json.dumps({"id": id, **result}), flush=True)


async def main():
    lines = asyncio.StreamReader(limit=2**24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    tasks = set()
    while line := await lines.readline():
        task = asyncio.create_task(answer(json.loads(line)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


asyncio.run(main())

/** Where a client goes that is told to go elsewhere; `Redirect` is tested with plain calls. */
import { assert, describe, it } from "@effect/vitest"
import { Endpoint, Transport } from "@wirestack/protocol"
import { detail } from "@wirestack/protocol/Connection"
import { Refusal, WebSocket } from "@wirestack/websocket"
import { Effect } from "effect"
import { utf8 } from "../support.ts"
import { all, answer, connect, head, on, onInternet, serve } from "./support.ts"

const moved = (location: string, status = 302) =>
  utf8(`HTTP/1.1 ${status} Moved\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`)

/** Servers of bytes, each with what it answers; the requests come as they were made, with the server's name ahead. */
const servers = (replies: Readonly<Record<string, (request: string) => Uint8Array>>) =>
  Effect.gen(function*() {
    const requests: Array<string> = []
    for (const [endpoint, reply] of Object.entries(replies)) {
      const listener = yield* Transport.listen(Transport.Bytes)(endpoint)
      yield* Effect.forkScoped(
        listener.run((connection) =>
          Effect.gen(function*() {
            const request = yield* head(connection)
            requests.push(`${endpoint} ${request}`)
            yield* connection.send(reply(request))
            yield* all(connection)
          })
        ),
        { startImmediately: true }
      )
    }
    return requests
  })

const lineOf = (request: string) => request.split(" HTTP/1.1\r\n")[0]

/** Where a client goes, and what comes of it. */
const journey = (
  endpoint: string,
  client: WebSocket.ClientOptions,
  replies: Readonly<Record<string, (request: string) => Uint8Array>>
) =>
  onInternet(
    { client },
    Effect.gen(function*() {
      const requests = yield* servers(replies)
      const reason = yield* Effect.match(connect(endpoint), {
        onSuccess: () => undefined,
        onFailure: ({ reason }) => reason
      })
      return { requests, lines: requests.map(lineOf), reason }
    })
  )

describe("redirects", () => {
  it.effect("RFC 6455 4.1: are not followed, unless one wants that", () =>
    Effect.gen(function*() {
      const { lines, reason } = yield* journey("ws://a.example/", {}, {
        "a.example:80": () => moved("ws://b.example/")
      })
      assert.deepStrictEqual(lines, ["a.example:80 GET /"])
      assert(reason?._tag === "UpgradeRejected", reason?._tag)
      assert.strictEqual(reason.status, 302)
      assert.deepInclude(reason.headers, ["location", "ws://b.example/"])
    }))

  it.effect("RFC 6455 4.1: lead on, within a server and to another", () =>
    Effect.gen(function*() {
      for (const status of [301, 302, 303, 307, 308]) {
        const { lines, reason } = yield* journey("ws://a.example/x", { maxRedirects: 3 }, {
          "a.example:80": (request) => moved(request.startsWith("GET /x ") ? "y?z" : "http://b.example:81/c", status),
          "b.example:81": answer
        })
        assert.isUndefined(reason)
        assert.deepStrictEqual(lines, ["a.example:80 GET /x", "a.example:80 GET /y?z", "b.example:81 GET /c"])
      }
    }))

  it.effect("are followed so many times, and no more", () =>
    Effect.gen(function*() {
      const replies = {
        "a.example:80": () => moved("ws://b.example/"),
        "b.example:80": () => moved("ws://a.example/")
      }
      const { lines, reason } = yield* journey("ws://a.example/", { maxRedirects: 3 }, replies)
      assert.lengthOf(lines, 4)
      assert(reason?._tag === "RedirectRefused", reason?._tag)
      assert.include(reason.detail, "too many")
      const self = yield* journey("ws://a.example/", { maxRedirects: 1 }, { "a.example:80": () => moved("/") })
      assert.lengthOf(self.lines, 2)
      assert.strictEqual(self.reason?._tag, "RedirectRefused")
    }))

  it.effect("leave credentials behind where the origin is another, and keep them where it is not", () =>
    Effect.gen(function*() {
      const client: WebSocket.ClientOptions = {
        maxRedirects: 3,
        headers: [["X-Kept", "yes"], ["Proxy-Authorization", "p"]],
        cookies: { session: "s" },
        origin: "https://site.example"
      }
      const { reason, requests } = yield* journey("ws://ada:secret@a.example/1", client, {
        "a.example:80": (request) =>
          request.startsWith("GET /1 ")
            ? moved("/2")
            : request.startsWith("GET /2 ")
            ? moved("//b.example/")
            : answer(request),
        "b.example:80": () => moved("ws://a.example/3")
      })
      assert.isUndefined(reason)
      assert.deepStrictEqual(requests.map(lineOf), [
        "a.example:80 GET /1",
        "a.example:80 GET /2",
        "b.example:80 GET /",
        "a.example:80 GET /3"
      ])
      for (const [i, request] of requests.entries()) {
        for (
          const personal of ["Authorization: Basic YWRhOnNlY3JldA==", "Cookie: session=s", "Proxy-Authorization: p"]
        ) {
          assert.strictEqual(request.includes(`\r\n${personal}\r\n`), i < 2, `${personal}, request ${i + 1}`)
        }
        assert.include(request, "\r\nX-Kept: yes\r\n")
        assert.include(request, "\r\nOrigin: https://site.example\r\n")
      }
    }))

  it.effect("never lead from wss to ws", () =>
    Effect.gen(function*() {
      for (const location of ["ws://a.example/", "http://a.example:443/", "ws://b.example/"]) {
        const { lines, reason } = yield* journey("wss://a.example/", { maxRedirects: 3 }, {
          "a.example:443": () => moved(location),
          "a.example:80": answer,
          "b.example:80": answer
        })
        assert.lengthOf(lines, 1)
        assert(reason?._tag === "RedirectRefused", reason?._tag)
        assert.include(reason.detail, "TLS")
      }
      const { lines, reason } = yield* journey("ws://a.example/", { maxRedirects: 3 }, {
        "a.example:80": () => moved("https://a.example/"),
        "a.example:443": answer
      })
      assert.isUndefined(reason)
      assert.deepStrictEqual(lines, ["a.example:80 GET /", "a.example:443 GET /"])
    }))

  it.effect("to somewhere that can't be are refused, and what is none is the server's no", () =>
    Effect.gen(function*() {
      const outcome = (said: Uint8Array) =>
        Effect.map(
          journey("ws://a.example/", { maxRedirects: 3 }, { "a.example:80": () => said }),
          ({ reason }) => reason?._tag
        )
      assert.strictEqual(yield* outcome(moved("ftp://b.example/")), "RedirectRefused")
      assert.strictEqual(yield* outcome(moved("ws://eve@b.example/")), "RedirectRefused")
      assert.strictEqual(yield* outcome(moved("ws://nobody.example/")), "Refused")
      assert.strictEqual(yield* outcome(moved("/", 304)), "UpgradeRejected")
      assert.strictEqual(yield* outcome(utf8("HTTP/1.1 302 Where?\r\nContent-Length: 0\r\n\r\n")), "UpgradeRejected")
    }))

  it.effect("take their turn like everybody", () =>
    onInternet(
      { client: { maxRedirects: 1 } },
      Effect.gen(function*() {
        const requests = yield* servers({
          "a.example:80": (request) => request.startsWith("GET / ") ? moved("/next") : answer(request)
        })
        yield* Effect.forEach(
          Array.from({ length: 5 }),
          () => connect("ws://a.example/"),
          { concurrency: "unbounded" }
        )
        assert.lengthOf(requests, 10)
      })
    ))

  it.effect("our own server sends them with a refusal", () =>
    on(
      {
        client: { maxRedirects: 1 },
        server: {
          accept: ({ path }) =>
            path === "/old"
              ? Effect.fail(new Refusal({ status: 308, headers: [["Location", "/new?a=b"]] }))
              : Effect.void
        }
      },
      Effect.gen(function*() {
        const server = yield* serve()
        const client = detail(yield* connect({ ...Endpoint.memory("here"), path: "/old" }), WebSocket.WebSocket)
        assert.strictEqual(client.path, "/new")
        const { path, query } = detail(yield* server.next, WebSocket.WebSocket)
        assert.deepStrictEqual({ path, query }, { path: "/new", query: "a=b" })
      })
    ))
})

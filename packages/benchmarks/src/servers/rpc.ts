/** A server of Effect's RPC, over our sockets or (with the argument `effect`) its own. */
// oxlint-disable-next-line import/no-unassigned-import
import "effect/schema/SchemaJITCompiler/enable"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as WebSocket from "@wirestack/node/WebSocket"
import * as Transport from "@wirestack/protocol/Transport"
import * as ProvidedSocket from "@wirestack/transport-streams/ProvidedSocket"
import * as Tcp from "@wirestack/transport-tcp/Tcp"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import { HttpServer } from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import type { SocketAddress } from "effect/net/NetAddress"
import * as RpcServer from "effect/rpc/RpcServer"
import { SocketServer } from "effect/socket/SocketServer"
import * as Stream from "effect/Stream"
import { createServer } from "node:http"
import { Numbers, serialization } from "../Numbers.ts"
import { told } from "../Serving.ts"
import { ready } from "./ready.ts"

const { carrier } = told()

const isEffect = process.argv[3] === "effect"

const handlers = Numbers.toLayer({
  Next: ({ n }) => Effect.succeed(n + 1),
  Range: ({ count, from }) => Stream.range(from, from + count - 1)
})

const calls = RpcServer.layer(Numbers, { disableTracing: true }).pipe(Layer.provide([handlers, serialization]))

const host = { host: "127.0.0.1", port: 0 }

const tellPort = (address: SocketAddress): Effect.Effect<void> =>
  Effect.sync(() => {
    if ("port" in address) ready(address.port)
  })

const onSockets = (sockets: Layer.Layer<SocketServer, unknown>) =>
  Layer.effectDiscard(Effect.flatMap(SocketServer, ({ address }) => tellPort(address))).pipe(
    Layer.merge(calls.pipe(Layer.provide(RpcServer.layerProtocolSocketServer), Layer.provide(serialization))),
    Layer.provide(sockets)
  )

const onHttp = Layer.effectDiscard(Effect.flatMap(HttpServer, ({ address }) => tellPort(address))).pipe(
  Layer.merge(HttpRouter.serve(
    calls.pipe(Layer.provide(RpcServer.layerProtocolWebsocket({ path: "/" })), Layer.provide(serialization)),
    { disableListenLog: true, disableLogger: true }
  )),
  Layer.provide(NodeHttpServer.layer(() => createServer(), host))
)

const ours = carrier === "tcp"
  ? ProvidedSocket.layerServer(Transport.Bytes)("tcp://127.0.0.1:0").pipe(Layer.provide(Tcp.layer()))
  : ProvidedSocket.layerServer(Transport.Messages)("ws://127.0.0.1:0/").pipe(Layer.provide(WebSocket.server()))

const theirs = carrier === "tcp" ? onSockets(NodeSocketServer.layer(host)) : onHttp

NodeRuntime.runMain(Layer.launch(Layer.orDie(isEffect ? theirs : onSockets(ours))))

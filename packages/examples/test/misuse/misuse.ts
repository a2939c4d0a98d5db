/** What must not compile: each statement after a comment `error: TEXT` gives an error that says TEXT. */
import { Codec, LengthPrefixed, MemoryTransport, Subprotocol, Transport } from "@wirestack/protocol"
import { Tcp, type TcpInfo } from "@wirestack/transport-tcp"
import { Tls, type TlsInfo } from "@wirestack/transport-tls"
import { CloseCode, WebSocket } from "@wirestack/websocket"
import { Effect, Layer, Schema } from "effect"

class Chat extends Subprotocol.Service<Chat>()("chat.v1", {
  client: Schema.TaggedStruct("Say", { text: Schema.String }),
  server: Schema.TaggedStruct("Said", { text: Schema.String })
}) {}
class Chat2 extends Subprotocol.Service<Chat2>()("chat.v2", {
  client: Schema.TaggedStruct("Say2", { text: Schema.String }),
  server: Schema.TaggedStruct("Said2", { text: Schema.String })
}) {}
class Chats extends Subprotocol.Family<Chats>()({ "chat.v2": Chat2, "chat.v1": Chat }) {}

const run = <A, E>(_: Effect.Effect<A, E>): void => {}
const connect = Effect.scoped(Transport.connect(Transport.Messages)("ws://localhost/"))
const listen = Effect.scoped(Transport.listen(Transport.Messages)("ws://localhost:0/"))

// A WebSocket on nothing.
// error: OverBytes
run(Effect.provide(connect, WebSocket.client()))

// Bytes where a WebSocket is wanted.
// error: At<"messages", Connect>
run(Effect.provide(connect, Tcp.layer()))

// A typed protocol on bytes.
// error: "the stack below gives": "bytes"; readonly "this layer stands on": "messages"
Chat.over(Codec.json())(Tcp.layer())

// A byte framer on messages.
// error: "the stack below gives": "messages"; readonly "this layer stands on": "bytes"
LengthPrefixed.over()(MemoryTransport.layerMessages())

// A WebSocket on a WebSocket.
// error: "the stack below gives": "messages"; readonly "this layer stands on": "bytes"
WebSocket.client()(WebSocket.client()(Tcp.layer()))

// Listening on a stack that only connects.
// error: At<"messages", Listen>
run(Effect.provide(listen, WebSocket.client()(Tcp.layer())))

// Connecting on a stack that only listens.
// error: At<"messages", Connect>
run(Effect.provide(connect, WebSocket.server()(Tcp.layer())))

// A detail that no layer below has.
// error: TlsInfo
run(Effect.provide(Effect.scoped(Transport.connect(Transport.Bytes)<TlsInfo>("a:1")), Tcp.layer()))

// The server's message, from the client.
// error: "Said"
Effect.flatMap(Chat.connect("a:1"), (chat) => chat.send({ _tag: "Said", text: "" }))

// A close code that must not be sent.
// error: 1005
const noStatus: CloseCode.CloseCode = 1005
// error: 999
const tooSmall: CloseCode.CloseCode = 999
// error: never
CloseCode.registered(4000)
// error: never
CloseCode.privateUse(5000)

// A family's handlers that forget a version.
// error: "chat.v1"
Chats.serve()("a:1", { "chat.v2": () => Effect.void })

// A family where no layer below negotiates the version.
// error: "the stack below lacks": Negotiated
Chats.over(Codec.json())(MemoryTransport.layerMessages())

// A server without an identity.
// error: identity
Tls.server({})(Tcp.layer())

// And this is as it should be.
run(Effect.provide(connect, WebSocket.client()(Tcp.layer())))
Layer.mergeAll(Chat.over(Codec.json())(LengthPrefixed.over()(Tls.client()(Tcp.layer()))))
run(Effect.provide(Effect.scoped(Transport.connect(Transport.Bytes)<TcpInfo>("a:1")), Tcp.layer()))

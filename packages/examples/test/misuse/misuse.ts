/** What must not compile: each statement after a comment `error: TEXT` gives an error that says TEXT. */
import { create } from "@bufbuild/protobuf"
import { DurationSchema, TimestampSchema } from "@bufbuild/protobuf/wkt"
import { Protobuf } from "@wirestack/codecs"
import {
  Channels,
  Codec,
  type Connection,
  LengthPrefixed,
  MemoryTransport,
  Migration,
  Requests,
  Subprotocol,
  Transport
} from "@wirestack/protocol"
import { Tcp, type TcpInfo } from "@wirestack/transport-tcp"
import { Tls, type TlsInfo } from "@wirestack/transport-tls"
import { CloseCode, WebSocket } from "@wirestack/websocket"
import { BrowserWebSocket } from "@wirestack/websocket/browser"
import { Context, Effect, Layer, Schema } from "effect"

class Chat extends Subprotocol.Service<Chat>()("chat.v1", {
  client: Schema.TaggedStruct("Say", { text: Schema.String }),
  server: Schema.TaggedStruct("Said", { text: Schema.String })
}) {}
class Chat2 extends Subprotocol.Service<Chat2>()("chat.v2", {
  client: Schema.TaggedStruct("Say2", { text: Schema.String }),
  server: Schema.TaggedStruct("Said2", { text: Schema.String })
}) {}
class Chats extends Subprotocol.Family<Chats>()({ "chat.v2": Chat2, "chat.v1": Chat }) {}

class Files extends Requests.Service<Files>()("files.v1", {
  client: {
    read: Requests.call({ payload: Schema.String, success: Schema.String, error: Schema.Int }),
    remove: Requests.call({ payload: Schema.String })
  },
  server: { changed: Requests.notification(Schema.String) }
}) {}
const up = () => undefined
const down = () => undefined
const read = () => Effect.succeed("")
const remove = () => Effect.void
declare const files: Requests.Session<"files.v1", typeof Files.calls.client>
declare const tagged: Connection.Connection<
  { readonly _tag: "Say"; readonly text: string } | { readonly _tag: "Leave" },
  never
>

declare const inPage: BrowserWebSocket.BrowserWebSocket["Service"]

const run = <A, E>(_: Effect.Effect<A, E>): void => {}
const connect = Effect.scoped(Transport.connect(Transport.Messages)("ws://localhost/"))
const withPing = Effect.scoped(Transport.connect(Transport.Messages)<WebSocket.WebSocket>("ws://localhost/"))
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

// A page that listens.
// error: At<"messages", Listen>
run(Effect.provide(listen, BrowserWebSocket.layer()))

// The headers and pings of a WebSocket, in a page.
// error: WebSocket
run(Effect.provide(withPing, BrowserWebSocket.layer()))
// error: 'headers' does not exist
BrowserWebSocket.layer({ headers: [["authorization", "Bearer x"]] })
// error: 'ping' does not exist
void inPage.ping

// A close code that only browsers may send themselves.
// error: 1001
inPage.close(1001)

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

// A Schema that needs a service.
class Dictionary extends Context.Service<Dictionary, ReadonlyMap<string, string>>()("Dictionary") {}
declare const Looked: Schema.Codec<string, string, Dictionary>
// error: Type 'Dictionary' is not assignable to type 'never'
Subprotocol.Service<any>()("looked", { client: Looked, server: Schema.String })

// A struct as text, or as bytes.
// error: is not assignable to type 'string'
Chat.over(Codec.text())
// error: is missing the following properties from type 'Uint8Array<ArrayBufferLike>'
Chat.over(Codec.bytes())

// A struct as a message of protobuf.
// error: Property '$typeName' is missing in type
Chat.over(Protobuf.codec())

// Another message of protobuf.
class Clock extends Subprotocol.Service<Clock>()("clock", {
  client: Protobuf.message(TimestampSchema),
  server: Protobuf.message(TimestampSchema)
}) {}
// error: "google.protobuf.Timestamp"
Effect.flatMap(Clock.connect("a:1"), (clock) => clock.send(create(DurationSchema)))

// A union without tags as records.
class Loose extends Subprotocol.Service<Loose>()("loose", {
  client: Schema.Union([Schema.Struct({ x: Schema.Int }), Schema.Struct({ y: Schema.Int })]),
  server: Schema.TaggedStruct("Said", { text: Schema.String })
}) {}
// error: Property '_tag' is missing in type
Loose.over(Codec.records({ Said: 1 }, Codec.json()))

// A tag without a number, a number twice, and what the format of the records doesn't carry.
// error: '"Say"' is not assignable to type '"Said"'
Chat.over(Codec.records({ Said: 1 }, Codec.json()))
// error: "another tag has the type number"
Chat.over(Codec.records({ Say: 1, Said: 1 }, Codec.json()))
// error: is not assignable to type 'string'
Chat.over(Codec.records({ Say: 1, Said: 2 }, Codec.text()))

// Records on messages.
// error: "the stack below gives": "messages"; readonly "this layer stands on": "records"
Chat.over(Codec.records({ Say: 1, Said: 2 }, Codec.json()))(MemoryTransport.layerMessages())

// Handlers by tag that forget a message, and one for a message that there is not.
// error: Property 'Leave' is missing
Subprotocol.byTag(tagged, { Say: () => Effect.void })
// error: "there is no message": "Left"
Subprotocol.byTag(tagged, { Say: () => Effect.void, Leave: () => Effect.void, Left: () => Effect.void })

// A migration that forgets what servers send, and one to a message that there is not.
// error: Property 'server' is missing
Migration.from(Chat).to(Chat2, { client: { up: () => undefined, down: () => undefined } })
// error: is not assignable to type '"Say2"'
Migration.from(Chat).to(Chat2, { client: { up: () => ({ _tag: "Said", text: "" }), down }, server: { up, down } })

// Calls without a handler, on either side.
// error: Property 'remove' is missing
Files.serve()("a:1", { read })
// error: Property 'changed' is missing
Files.connect()("a:1", {})

// An answer, an error and a payload of other types than the call has.
// error: Type 'number' is not assignable to type 'string'
Files.serve()("a:1", { read: () => Effect.succeed(1), remove })
// error: Type 'string' is not assignable to type 'number'
Files.serve()("a:1", { read: () => Effect.fail(""), remove })
// error: Argument of type 'number' is not assignable to parameter of type 'string'
files.call.read(1)

// The server's calls, from the client.
// error: Property 'changed' does not exist
files.call.changed("")

// Channels on bytes.
// error: "the stack below gives": "bytes"; readonly "this layer stands on": "messages"
Channels.over()(Tcp.layer())

// A server without an identity.
// error: identity
Tls.server({})(Tcp.layer())

// And this is as it should be.
run(Effect.provide(connect, WebSocket.client()(Tcp.layer())))
Layer.mergeAll(Chat.over(Codec.json())(LengthPrefixed.over()(Tls.client()(Tcp.layer()))))
run(Effect.provide(Effect.scoped(Transport.connect(Transport.Bytes)<TcpInfo>("a:1")), Tcp.layer()))
Clock.over(Protobuf.codec())(MemoryTransport.layerMessages())
Chats.over(Codec.binary())(Tls.client()(Tcp.layer()).pipe(WebSocket.client()))
Chats.over(Codec.json())(Channels.over()(WebSocket.client()(Tcp.layer())))
Files.serve()("a:1", { read, remove })

/** Layers that say something before the layer above does, each by the suite of every transport. */
import { describe, it } from "@effect/vitest"
import { MemoryTransport, Transport } from "@wirestack/protocol"
import { Samples, transportSuite } from "@wirestack/protocol/testing"
import { resources } from "@wirestack/test-support"
import { ProxyProtocol } from "@wirestack/transport-proxy"
import { Tcp } from "@wirestack/transport-tcp"
import { Alpn, Preface, StartTls } from "@wirestack/transport-tls"
import { Context, Effect, Layer, type Scope } from "effect"
import { inMemory, onTcp, tls } from "./support/stacks.ts"

type Both = Transport.Connect | Transport.Listen

/** A client that says what a proxy would, and a server that wants to hear it. */
const proxied = Transport.layer<"bytes", Uint8Array, Uint8Array, Uint8Array, Uint8Array, Both, never, Scope.Scope>(
  Transport.Bytes,
  Effect.gen(function*() {
    const preface = new TextEncoder().encode("PROXY TCP4 192.0.2.1 198.51.100.7 49152 443\r\n")
    const below = yield* Layer.build(Tcp.layer())
    const above = yield* Layer.build(ProxyProtocol.server({ trusted: ["127.0.0.1"] })(Layer.succeedContext(below)))
    const { connect } = Context.get(below, Transport.Bytes.key)
    const { listen } = Context.get(above as any, Transport.Bytes.key)
    return { listen, connect: (ask) => Effect.tap(connect(ask), ({ send }) => Effect.orDie(send(preface))) }
  })
)

/** Bytes, whatever name is agreed on. */
class Spoken extends Alpn.Choice<Spoken>()({ bytes: Alpn.branch(Transport.Bytes, (ground) => ground) }) {}

const suites = {
  "STARTTLS in memory": transportSuite({
    ...inMemory,
    shape: Transport.Bytes,
    layer: () => MemoryTransport.layer().pipe(StartTls.over(Preface.imap(), tls())),
    samples: Samples.bytes,
    capabilities: { halfClose: true, statuses: "bytes carry no reason", abortIsSeen: true },
    resources
  }),
  "ALPN on TCP": transportSuite({
    ...onTcp,
    shape: Spoken as unknown as typeof Transport.Bytes,
    layer: () => Tcp.layer().pipe(tls(), Spoken.over()) as any,
    samples: Samples.bytes,
    capabilities: { halfClose: true, statuses: "bytes carry no reason", abortIsSeen: true },
    resources
  }),
  "the PROXY protocol on TCP": transportSuite({
    ...onTcp,
    shape: Transport.Bytes,
    layer: () => Layer.fresh(proxied),
    samples: Samples.bytes,
    capabilities: { halfClose: true, statuses: "bytes carry no reason", abortIsSeen: true },
    resources
  })
}

for (const [name, suite] of Object.entries(suites)) {
  describe(name, () => {
    for (const { name, run } of suite) it.live(name, () => run)
  })
}

/** What is shown to people. */
import { assert, describe, it } from "@effect/vitest"
import { ExitCode } from "@wirestack/cli"
import { ConnectError, Refused } from "@wirestack/protocol/ConnectError"
import { ConnectionError, Reset } from "@wirestack/protocol/ConnectionError"
import { Other, TimedOut } from "@wirestack/protocol/Reason"
import { printable } from "@wirestack/protocol/tap/Payload"
import { ProxyRefused } from "@wirestack/transport-proxy/ProxyRefused"
import { CertificateInvalid, NotTls } from "@wirestack/transport-tls/TlsReason"
import { UpgradeRejected } from "@wirestack/websocket/handshake/HandshakeReason"
import { Exit } from "effect"
import { explain } from "../../src/internal/explain.ts"
import { Histogram } from "../../src/internal/Histogram.ts"
import { outcomeLine } from "../../src/internal/outcomeLine.ts"
import { printableBytes, showing } from "../../src/internal/showing.ts"
import { waterfall } from "../../src/internal/waterfall.ts"

describe("an exit code", () => {
  const { Done, Failed, Lost, Rejected, Tls, Unreachable } = ExitCode.ExitCode
  const connecting = (layer: string, reason: ConnectError["reason"]) => new ConnectError({ layer, reason })
  const late = new TimedOut({ phase: "handshake", after: 1 })
  const refused = new Refused({ address: "a:1" })
  it.each([
    ["refused", connecting("tcp", refused), Unreachable],
    ["refused, as a proxy says", connecting("socks5", refused), Unreachable],
    ["late in TCP", connecting("tcp", late), Unreachable],
    ["late in TLS", connecting("tls", late), Tls],
    ["no TLS", connecting("tls", new NotTls({ cause: undefined })), Tls],
    ["late in WebSocket", connecting("websocket", late), Rejected],
    ["proxy", connecting("socks5", new ProxyRefused({ proxy: "a:1", code: 1, detail: "" })), Rejected],
    ["late altogether", connecting("endpoint", late), Failed],
    ["reset", new ConnectionError({ layer: "tcp", reason: new Reset({ cause: undefined }) }), Lost],
    ["anything", new Error("x"), Failed]
  ])("of %s", (_, error, code) => {
    assert.strictEqual(ExitCode.of(Exit.fail(error)), code)
  })

  it("is 0 for what was ended from outside", () => {
    assert.strictEqual(ExitCode.of(Exit.interrupt(1)), Done)
    assert.strictEqual(ExitCode.of(Exit.void), Done)
  })
})

describe("a failure", () => {
  it("is a line with the layer, the value and what may help", () => {
    const reason = new CertificateInvalid({ code: "expired", detail: "certificate has expired", cause: undefined })
    assert.strictEqual(
      explain(new ConnectError({ layer: "tls", reason })),
      "wirestack: tls: the peer's certificate is not accepted (expired): certificate has expired\n" +
        "  hint: --ca FILE trusts an authority of yours, and --insecure anybody"
    )
    const moved = new UpgradeRejected({ status: 302, headers: [], body: "" })
    assert.match(
      explain(new ConnectError({ layer: "websocket", reason: moved })),
      /status 302\n {2}hint: --redirects N/
    )
    const other = new Other({ cause: "x" })
    assert.strictEqual(explain(new ConnectError({ layer: "udp", reason: other })), "wirestack: udp: x")
  })
})

it("a waterfall has a bar for each layer, and a block for each attempt", () => {
  const step = { reason: undefined, facts: {} }
  const refused = new Refused({ address: "192.0.2.1:443" })
  const text = waterfall("tls://a:443", {
    took: 100,
    attempts: [
      [{ layer: "tcp", after: 0, took: 25, reason: refused, facts: {} }],
      [
        { ...step, layer: "tcp", after: 25, took: 25, facts: { address: "192.0.2.2:443", connectTime: 25 } },
        { ...step, layer: "tls", after: 50, took: 50, facts: { version: "TLSv1.3" } }
      ]
    ]
  })
  assert.deepStrictEqual(text.split("\n"), [
    "tls://a:443 in 100.0 ms",
    "attempt 1",
    "tcp  ████████                            25.0 ms  192.0.2.1:443 refused the connection",
    "attempt 2",
    "tcp          ████████                    25.0 ms  address 192.0.2.2:443",
    "tls                  ████████████████    50.0 ms  version TLSv1.3"
  ])
})

it("an outcome is a line", () => {
  const nothing = { messages: 0, bytes: 0 }
  const outcome = {
    first: "remote",
    clean: true,
    endOfInput: "announced",
    unsent: nothing,
    undelivered: 0,
    layers: []
  } as const
  assert.strictEqual(
    outcomeLine({ ...outcome, received: { code: 4000, reason: "no" } }),
    "closed by the peer with 4000 (no)"
  )
  assert.strictEqual(
    outcomeLine({
      ...outcome,
      first: "local",
      clean: false,
      sent: { code: 1000, reason: "" },
      unsent: { messages: 1, bytes: 2 },
      undelivered: 3,
      layers: [{ layer: "websocket", took: 1, settled: false }, { layer: "tcp", took: 1, settled: true }]
    }),
    "closed by us with 1000; no goodbye of websocket; 1 messages, 2 bytes unsent; 3 messages not taken"
  )
})

describe("text on a terminal", () => {
  it("has no controls but tabs and line ends", () => {
    assert.strictEqual(printable("a\tb\r\nc\rd\x1b[2J\x9b1m\x7f\u202e€"), "a\tb\nc\\x0dd\\x1b[2J\\x9b1m\\x7f\\u202e€")
  })

  it("is hexadecimal where it is no text, and bounded there", () => {
    assert.strictEqual(printableBytes(Buffer.from("é\x07")), "é\\x07")
    assert.strictEqual(printableBytes(Uint8Array.of(0xc3, 0x28)), "c3 28 (2 bytes)")
    assert.match(printableBytes(new Uint8Array(1_000).fill(0xff)), /^(ff ){63}ff \.\.\. \(1000 bytes\)$/)
  })
})

it("bytes on a terminal are text, however they are cut", () => {
  const shown = showing({ raw: false, shape: "bytes" })
  const bytes = Buffer.from("é\x1bü")
  assert.strictEqual([...bytes].map((byte) => shown(Uint8Array.of(byte))).join(""), "é\\x1bü")
  assert.strictEqual(showing({ raw: true, shape: "bytes" })(bytes), "é\x1bü")
})

it("quantiles are at most 3 % off, and never more than the largest time", () => {
  const times = new Histogram()
  for (let i = 1; i <= 10_000; i++) times.add(i / 100)
  for (const part of [0.5, 0.9, 0.99]) {
    assert.isAtMost(Math.abs(times.quantile(part) / (part * 100) - 1), 0.03)
  }
  assert.deepStrictEqual([times.max, times.quantile(1), times.count], [100, 100, 10_000])
  assert.strictEqual(new Histogram().quantile(0.5), 0)
})

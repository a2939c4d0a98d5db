import { afterAll, assert, describe, it } from "@effect/vitest"
import { NodeZlib } from "@wirestack/node"
import type { ConnectionReason } from "@wirestack/protocol/ConnectionError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as NativeZlib from "node:zlib"
import * as Extension from "../../src/extensions/Extension.ts"
import * as PerMessageDeflate from "../../src/extensions/PerMessageDeflate.ts"
import { type DeflateSettings, type InflateSettings, type WindowBits, Zlib } from "../../src/extensions/Zlib.ts"
import { fromViolation } from "../../src/frames/CloseCode.ts"
import { concat, cuts, hex, random, text, toHex, utf8 } from "../support.ts"

const none = new Uint8Array(0)
const allBits: ReadonlyArray<WindowBits> = [8, 9, 10, 11, 12, 13, 14, 15]

/** The engines in use. */
const open = { deflaters: 0, inflaters: 0 }

/** Counts the engines of Node that are in use. */
const counting = Layer.effect(
  Zlib,
  Effect.map(Zlib, (zlib): Zlib["Service"] => ({
    deflater: (settings) => {
      const engine = zlib.deflater(settings)
      open.deflaters++
      return {
        deflate: (input, flush) => engine.deflate(input, flush),
        reset: () => engine.reset(),
        close: () => {
          open.deflaters--
          engine.close()
        }
      }
    },
    inflater: (settings) => {
      const engine = zlib.inflater(settings)
      open.inflaters++
      return {
        feed: (input) => engine.feed(input),
        next: () => engine.next(),
        flushed: () => engine.flushed(),
        reset: () => engine.reset(),
        close: () => {
          open.inflaters--
          engine.close()
        }
      }
    }
  }))
)

const runtime = ManagedRuntime.make(Layer.provide(counting, NodeZlib.layer))
afterAll(() => runtime.dispose())

const make = (options?: PerMessageDeflate.Options): Extension.Extension =>
  runtime.runSync(PerMessageDeflate.make(options))

interface Ends {
  readonly client: Extension.Session
  readonly server: Extension.Session
}

/** Both ends after a handshake of these options. */
const ends = (client: PerMessageDeflate.Options, server: PerMessageDeflate.Options): Ends => {
  const offerer = [make(client)]
  const { agreed, header } = Result.getOrThrow(Extension.answer([make(server)], Extension.offer(offerer)))
  assert.isDefined(header)
  const [one] = Result.getOrThrow(Extension.agree(offerer, [header]))
  return { client: one.session(), server: agreed[0].session() }
}

const takeover = { serverNoContextTakeover: false, clientNoContextTakeover: false, threshold: 0 }
const noTakeover = { serverNoContextTakeover: true, clientNoContextTakeover: true, threshold: 0 }

const send = ({ outgoing }: Extension.Session, parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  assert.isTrue(outgoing.begin(undefined))
  return concat(...parts.map((part, i) => outgoing.encode(part, i === parts.length - 1).slice()))
}

const receive = ({ incoming }: Extension.Session, parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const pieces: Array<Uint8Array> = []
  for (const [i, part] of parts.entries()) {
    incoming.feed(part, i === parts.length - 1)
    for (let piece = incoming.next(); piece !== undefined; piece = incoming.next()) {
      assert.isAtMost(piece.length, 65_536)
      pieces.push(piece.slice())
    }
  }
  return concat(...pieces)
}

const reasonOf = (session: Extension.Session, parts: ReadonlyArray<Uint8Array>): ConnectionReason | undefined => {
  try {
    receive(session, parts)
    return undefined
  } catch (error) {
    return error as ConnectionReason
  }
}

const serverOf = (offer: string, options?: PerMessageDeflate.Options): string | undefined =>
  Result.getOrThrow(Extension.answer([make(options)], [offer])).header

const clientOf = (answer: string, options?: PerMessageDeflate.Options) => Extension.agree([make(options)], [answer])

const name = "permessage-deflate"
const noServer = "server_no_context_takeover"
const noClient = "client_no_context_takeover"
const serverBits = "server_max_window_bits"
const clientBits = "client_max_window_bits"

const keeps = { serverNoContextTakeover: false, clientNoContextTakeover: false }

describe("what a client offers", () => {
  const offers: ReadonlyArray<readonly [string, PerMessageDeflate.Options, ReadonlyArray<string>]> = [
    ["RFC 7692 7.1: no takeover, and any window, by default", {}, [`${name}; ${noServer}; ${noClient}; ${clientBits}`]],
    ["RFC 7692 7.1.1: takeover", keeps, [`${name}; ${clientBits}`]],
    ["RFC 7692 7.1.1.1: takeover by the client alone", { clientNoContextTakeover: false }, [
      `${name}; ${noServer}; ${clientBits}`
    ]],
    ["RFC 7692 7.1.1.2: takeover by the server alone", { serverNoContextTakeover: false }, [
      `${name}; ${noClient}; ${clientBits}`
    ]],
    ["RFC 7692 7.1.2: smaller windows", { ...keeps, serverMaxWindowBits: 8, clientMaxWindowBits: 10 }, [
      `${name}; ${serverBits}=8; ${clientBits}=10`
    ]],
    ["RFC 7692 7.1: several offers in order", { ...keeps, serverMaxWindowBits: 9, alternatives: [keeps, {}] }, [
      `${name}; ${serverBits}=9; ${clientBits}`,
      `${name}; ${clientBits}`,
      `${name}; ${noServer}; ${noClient}; ${clientBits}`
    ]]
  ]
  for (const [name, options, expected] of offers) {
    it(name, () => assert.deepStrictEqual(Extension.offer([make(options)]), expected))
  }
})

describe("what a server answers", () => {
  const answers: ReadonlyArray<readonly [string, string, PerMessageDeflate.Options, string | undefined]> = [
    ["RFC 7692 7.1.1: that nobody keeps context, by default", name, {}, `${name}; ${noServer}; ${noClient}`],
    ["RFC 7692 7.1: nothing, if there is nothing to say", name, keeps, name],
    ["RFC 7692 7.1.1.1: as the client wants it", `${name}; ${noServer}`, keeps, `${name}; ${noServer}`],
    ["RFC 7692 7.1.1.2: as the client hints", `${name}; ${noClient}`, keeps, `${name}; ${noClient}`],
    ["RFC 7692 7.1.2.1: the window offered", `${name}; ${serverBits}=10`, keeps, `${name}; ${serverBits}=10`],
    ["RFC 7692 7.1.2.1: 15, if offered", `${name}; ${serverBits}=15`, keeps, `${name}; ${serverBits}=15`],
    [
      "RFC 7692 7.1.2.1: a window smaller than offered",
      `${name}; ${serverBits}=12`,
      { ...keeps, serverMaxWindowBits: 9 },
      `${name}; ${serverBits}=9`
    ],
    [
      "RFC 7692 7.1.2.1: no window larger than offered",
      `${name}; ${serverBits}=8`,
      { ...keeps, serverMaxWindowBits: 9 },
      `${name}; ${serverBits}=8`
    ],
    [
      "RFC 7692 7.1.2.1: a window that was not offered",
      name,
      { ...keeps, serverMaxWindowBits: 9 },
      `${name}; ${serverBits}=9`
    ],
    ["RFC 7692 7.1.2.2: no window of the client, if all are good", `${name}; ${clientBits}`, keeps, name],
    [
      "RFC 7692 7.1.2.2: the window the client will have",
      `${name}; ${clientBits}=11`,
      keeps,
      `${name}; ${clientBits}=11`
    ],
    [
      "RFC 7692 7.1.2.2: a smaller window of the client",
      `${name}; ${clientBits}`,
      { ...keeps, clientMaxWindowBits: 8 },
      `${name}; ${clientBits}=8`
    ],
    [
      "RFC 7692 7.1.2.2: the smaller one of two",
      `${name}; ${clientBits}=9`,
      { ...keeps, clientMaxWindowBits: 12 },
      `${name}; ${clientBits}=9`
    ],
    [
      "RFC 7692 7.1.2.2: no, if the client can't have a smaller window",
      name,
      { ...keeps, clientMaxWindowBits: 12 },
      undefined
    ],
    [
      "RFC 7692 5.1: the first acceptable offer",
      `${name}; x, ${name}; ${serverBits}=7, ${name}; ${noServer}, ${name}`,
      keeps,
      `${name}; ${noServer}`
    ],
    ["RFC 7692 7.1: no, to an unknown parameter", `${name}; x`, {}, undefined],
    ["RFC 7692 7.1: no, to a parameter that occurs twice", `${name}; ${noServer}; ${noServer}`, {}, undefined],
    ["RFC 7692 7.1: no, to a window twice", `${name}; ${clientBits}; ${clientBits}=9`, {}, undefined],
    ["RFC 7692 7.1.1.1: no, to a value", `${name}; ${noServer}=1`, {}, undefined],
    ["RFC 7692 7.1.1.2: no, to a value", `${name}; ${noClient}=true`, {}, undefined],
    ["RFC 7692 7.1.2.1: no, to a window without a value", `${name}; ${serverBits}`, {}, undefined],
    ["RFC 7692 7.1.2.2: takes a value in quotes", `${name}; ${clientBits}="9"`, keeps, `${name}; ${clientBits}=9`],
    ...["7", "16", "08", "+9", "9.0", "0x9", "1", "a", "150"].flatMap((value) =>
      [serverBits, clientBits].map((key): readonly [string, string, {}, undefined] => [
        `RFC 7692 7.1.2: no, to ${key}=${value}`,
        `${name}; ${key}=${value}`,
        {},
        undefined
      ])
    )
  ]
  for (const [name, offer, options, expected] of answers) {
    it(name, () => assert.strictEqual(serverOf(offer, options), expected))
  }
})

describe("what a client makes of the answer", () => {
  const wrong: ReadonlyArray<readonly [string, string, PerMessageDeflate.Options, string]> = [
    ["an unknown parameter", `${name}; x`, keeps, "7.1"],
    ["a parameter twice", `${name}; ${noClient}; ${noClient}`, keeps, "7.1"],
    ["a value", `${name}; ${noServer}=1`, keeps, "7.1.1.1"],
    ["a value", `${name}; ${noClient}=1`, keeps, "7.1.1.2"],
    ["server takeover that was not offered", name, { clientNoContextTakeover: false }, "7.1.1.1"],
    ["no server window", name, { ...keeps, serverMaxWindowBits: 10 }, "7.1.2.1"],
    ["a larger window", `${name}; ${serverBits}=11`, { ...keeps, serverMaxWindowBits: 10 }, "7.1.2.1"],
    ["a window without a value", `${name}; ${serverBits}`, keeps, "7.1.2.1"],
    ["a window of 7 bits", `${name}; ${serverBits}=7`, keeps, "7.1.2.1"],
    ["a client window without a value", `${name}; ${clientBits}`, keeps, "7.1.2.2"],
    ["a client window of 16 bits", `${name}; ${clientBits}=16`, keeps, "7.1.2.2"],
    ["none of several offers", name, { serverMaxWindowBits: 10, alternatives: [{}] }, "7.1.1.1"]
  ]
  for (const [what, answer, options, section] of wrong) {
    it(`RFC 7692 ${section}: ${what} is a violation: ${answer}`, () => {
      const agreed = clientOf(answer, options)
      if (Result.isSuccess(agreed)) assert.fail("agreed")
      assert.strictEqual(agreed.failure.section, `RFC 7692 section ${section}`)
    })
  }

  const right: ReadonlyArray<readonly [string, string, PerMessageDeflate.Options]> = [
    ["RFC 7692 7.1.1.1: a server without takeover by itself", `${name}; ${noServer}`, keeps],
    ["RFC 7692 7.1.1.2: a demand not to take over", `${name}; ${noClient}`, keeps],
    ["RFC 7692 7.1.1.2: a hint that is ignored", `${name}; ${noServer}`, {}],
    ["RFC 7692 7.1.2.1: a window of the server by itself", `${name}; ${serverBits}=9`, keeps],
    ["RFC 7692 7.1.2.2: a client window", `${name}; ${clientBits}=15`, keeps],
    ["RFC 7692 7.1.2.2: a client window larger than hinted", `${name}; ${clientBits}=15`, {
      ...keeps,
      clientMaxWindowBits: 9
    }],
    ["RFC 7692 7.1: an answer to the second offer", name, { alternatives: [keeps] }]
  ]
  for (const [name, answer, options] of right) {
    it(`${name} is right`, () => assert.isTrue(Result.isSuccess(clientOf(answer, options))))
  }
})

describe("what both ends then do", () => {
  /** The settings of the engines that were asked for, and whether they are kept. */
  const asked: Array<DeflateSettings | InflateSettings> = []
  let closed = 0
  const recording = Layer.succeed(Zlib, {
    deflater: (settings) => {
      asked.push(settings)
      return { deflate: () => Uint8Array.of(0, 0, 0, 255, 255), reset: () => {}, close: () => void closed++ }
    },
    inflater: (settings) => {
      asked.push(settings)
      return {
        feed: () => {},
        next: () => undefined,
        flushed: () => true,
        reset: () => {},
        close: () => void closed++
      }
    }
  })
  const recorded = (options: PerMessageDeflate.Options) =>
    Effect.runSync(Effect.provide(PerMessageDeflate.make({ ...options, threshold: 0 }), recording))

  /** The window of a direction and whether its engine outlives a message. */
  const used = (act: () => void) => {
    asked.length = closed = 0
    act()
    return { bits: asked[0].windowBits, keeps: closed === 0 }
  }

  const choices = [true, false].flatMap((serverNoContextTakeover) =>
    [true, false].flatMap((clientNoContextTakeover) =>
      allBits.flatMap((serverMaxWindowBits) =>
        allBits.map((clientMaxWindowBits) => ({
          serverNoContextTakeover,
          clientNoContextTakeover,
          serverMaxWindowBits,
          clientMaxWindowBits
        }))
      )
    )
  )

  it("RFC 7692 7.1.2.2: a client keeps to what it hinted, whatever the server says of it", () => {
    const client = recorded({ ...keeps, clientMaxWindowBits: 9, clientNoContextTakeover: true })
    for (
      const [answer, bits] of [[name, 9], [`${name}; ${clientBits}=15`, 9], [`${name}; ${clientBits}=8`, 8]] as const
    ) {
      const [{ session }] = Result.getOrThrow(Extension.agree([client], [answer]))
      const { outgoing } = session()
      assert.deepStrictEqual(used(() => outgoing.encode(Uint8Array.of(1), true)), { bits, keeps: false })
    }
  })

  it("RFC 7692 7.1: each of 65,536 combinations fits, and is within the limits of both", () => {
    const servers = choices.map((terms) => ({ terms, extension: recorded(terms) }))
    for (const offered of choices) {
      const client = recorded(offered)
      for (const { extension, terms } of servers) {
        const { agreed, header } = Result.getOrThrow(Extension.answer([extension], Extension.offer([client])))
        const [one] = Result.getOrThrow(Extension.agree([client], [header!]))
        const [ours, theirs] = [one.session(), agreed[0].session()]
        const up = [
          used(() => ours.outgoing.encode(Uint8Array.of(1), true)),
          used(() => {
            theirs.incoming.feed(Uint8Array.of(0), true)
            theirs.incoming.next()
          })
        ]
        const down = [
          used(() => theirs.outgoing.encode(Uint8Array.of(1), true)),
          used(() => {
            ours.incoming.feed(Uint8Array.of(0), true)
            ours.incoming.next()
          })
        ]
        const expectedUp = {
          bits: Math.min(offered.clientMaxWindowBits, terms.clientMaxWindowBits),
          keeps: !offered.clientNoContextTakeover && !terms.clientNoContextTakeover
        }
        const expectedDown = {
          bits: Math.min(offered.serverMaxWindowBits, terms.serverMaxWindowBits),
          keeps: !offered.serverNoContextTakeover && !terms.serverNoContextTakeover
        }
        const wrong = [...up, ...down].find(({ bits, keeps }, i) => {
          const expected = i < 2 ? expectedUp : expectedDown
          return bits !== expected.bits || keeps !== expected.keeps
        })
        if (wrong !== undefined) assert.fail(JSON.stringify({ offered, terms, up, down }))
      }
    }
  })
})

describe("messages", () => {
  const vectors: ReadonlyArray<readonly [string, string]> = [
    ["RFC 7692 7.2.3.1: one compressed block", "f248cdc9c90700"],
    ["RFC 7692 7.2.3.3: a block without compression", "000500faff48656c6c6f00"],
    ["RFC 7692 7.2.3.4: a block with BFINAL set to 1", "f348cdc9c9070000"],
    ["RFC 7692 7.2.3.5: two blocks", "f248050000 00ffff cac9c90700"]
  ]
  for (const [name, message] of vectors) {
    it(name, () => {
      for (const options of [takeover, noTakeover]) {
        for (const parts of cuts(hex(message))) {
          const { client, server } = ends(options, options)
          for (let i = 0; i < 3; i++) assert.strictEqual(text(receive(server, parts)), "Hello")
          client.release()
          server.release()
        }
      }
    })
  }

  it("RFC 7692 7.2.3.1: sends one compressed block", () => {
    const { client } = ends(noTakeover, noTakeover)
    assert.strictEqual(toHex(send(client, [utf8("Hello")])), "f248cdc9c90700")
    assert.strictEqual(toHex(send(client, [utf8("Hel"), none, utf8("lo"), none])), "f248cdc9c90700")
    assert.strictEqual(toHex(send(client, [utf8("Hello")])), "f248cdc9c90700")
  })

  it("RFC 7692 7.2.3.2: shares the window with takeover", () => {
    const { client, server } = ends(takeover, takeover)
    for (const [one, other] of [[client, server], [server, client]]) {
      assert.strictEqual(toHex(send(one, [utf8("Hello")])), "f248cdc9c90700")
      assert.strictEqual(toHex(send(one, [utf8("Hello")])), "f200110000")
      assert.strictEqual(text(receive(other, [hex("f248cdc9c90700")])), "Hello")
      assert.strictEqual(text(receive(other, [hex("f200110000")])), "Hello")
      assert.strictEqual(text(receive(other, [hex("f200"), hex("110000")])), "Hello")
    }
    client.release()
    server.release()
  })

  it("RFC 7692 7.2.3.6: an empty message is a byte", () => {
    for (const options of [takeover, noTakeover]) {
      const { client, server } = ends(options, options)
      for (const parts of [[none], [none, none], [none, none, none]]) {
        assert.strictEqual(toHex(send(client, parts)), "00")
        assert.strictEqual(toHex(receive(server, [hex("00")])), "")
        assert.strictEqual(toHex(receive(server, [none, hex("00"), none])), "")
      }
      assert.strictEqual(text(receive(server, [send(client, [utf8("Hello")])])), "Hello")
      assert.strictEqual(toHex(send(client, [none])), "00")
      assert.strictEqual(text(receive(server, [send(client, [utf8("Hello")])])), "Hello")
      client.release()
      server.release()
    }
  })

  it("RFC 7692 7.2.3.4: a message goes on behind a block with BFINAL", () => {
    const more = concat(hex("f348cdc9c90700"), hex("f348cdc9c90700"), hex("f248cdc9c90700"))
    for (const options of [takeover, noTakeover]) {
      for (const parts of cuts(more)) {
        const { server } = ends(options, options)
        assert.strictEqual(text(receive(server, parts)), "HelloHelloHello")
        assert.strictEqual(text(receive(server, [hex("f248cdc9c90700")])), "Hello")
        server.release()
      }
    }
  })

  it("RFC 7692 7.2.3.4: a message may end with BFINAL and nothing behind it", () => {
    for (const options of [takeover, noTakeover]) {
      for (const parts of cuts(hex("f348cdc9c90700"))) {
        const { server } = ends(options, options)
        for (let i = 0; i < 3; i++) assert.strictEqual(text(receive(server, parts)), "Hello")
        assert.strictEqual(reasonOf(server, [none])?._tag, "Violation")
        server.release()
      }
    }
  })

  it("RFC 7692 6.1: a takeover is of compressed messages only, whatever is sent between", () => {
    const { client, server } = ends(takeover, takeover)
    assert.strictEqual(text(receive(server, [send(client, [utf8("Hello")])])), "Hello")
    const { client: picky } = ends({ ...takeover, threshold: 100 }, takeover)
    assert.isFalse(picky.outgoing.begin(99))
    assert.strictEqual(toHex(send(client, [utf8("Hello")])), "f200110000")
    assert.strictEqual(text(receive(server, [hex("f200110000")])), "Hello")
    client.release()
    server.release()
  })

  it("RFC 7692 7.2.1: does not send the tail, and adds it wherever the message is cut", () => {
    const next = random(3)
    const noise = Uint8Array.from({ length: 400 }, () => next() * 256)
    for (let length = 1; length < 400; length += 13) {
      const { client, server } = ends(noTakeover, noTakeover)
      const sent = send(client, [noise.subarray(0, length)])
      const inflated = NativeZlib.inflateRawSync(concat(sent, hex("0000ffff")), {
        finishFlush: NativeZlib.constants.Z_SYNC_FLUSH
      })
      assert.deepStrictEqual(new Uint8Array(inflated), noise.slice(0, length))
      for (const parts of cuts(sent)) assert.deepStrictEqual(receive(server, parts), noise.slice(0, length))
    }
  })

  it("sends and receives messages of many parts, also of ones that end where a piece does", () => {
    const next = random(5)
    const noise = Uint8Array.from({ length: 1_000_000 }, () => next() * 256)
    const words = utf8("one two three four ".repeat(60_000))
    for (const options of [takeover, noTakeover]) {
      const { client, server } = ends(options, options)
      for (const message of [noise, words, noise.subarray(0, 65_536), words.subarray(0, 131_072), none]) {
        const parts = [...Array(Math.ceil(message.length / 65_536)).keys()].map((i) =>
          message.subarray(i * 65_536, (i + 1) * 65_536)
        )
        const sent = send(client, [...parts, none])
        const received = receive(server, [...cuts(sent.subarray(0, 3))[1], sent.slice(3, 70_000), sent.slice(70_000)])
        assert.isTrue(Buffer.compare(received, message) === 0)
        assert.isTrue(Buffer.compare(receive(server, [send(client, [message])]), message) === 0)
      }
      client.release()
      server.release()
    }
  })

  const directions = Schema.Struct({
    serverNoContextTakeover: Schema.Boolean,
    clientNoContextTakeover: Schema.Boolean,
    serverMaxWindowBits: Schema.Literals(allBits),
    clientMaxWindowBits: Schema.Literals(allBits)
  })
  const message = Schema.Struct({ text: Schema.String, times: Schema.Literals([1, 2, 300, 5000]), seed: Schema.Int })

  it.prop("any messages arrive, with any parameters", [
    directions,
    directions,
    Schema.Array(message),
    Schema.Literals([0, 1, 6, 9]),
    Schema.Literals([1, 8, 9])
  ], ([offered, answered, messages, level, memLevel]) => {
    const { client, server } = ends({ ...offered, level, memLevel, threshold: 0 }, { ...answered, threshold: 0 })
    for (const { seed, text, times } of messages) {
      const next = random(seed)
      const noise = Uint8Array.from({ length: Math.floor(next() * 900) }, () => next() * 256)
      const bytes = concat(utf8(text.repeat(times)), noise, utf8(text.repeat(times)), noise)
      const way = cuts(bytes)[2 + Math.floor(next() * 20)]
      for (const [one, other] of [[client, server], [server, client]]) {
        const sent = send(one, way.length === 0 ? [none] : way)
        assert.deepStrictEqual(receive(other, cuts(sent)[2 + Math.floor(next() * 20)]), bytes)
      }
    }
    client.release()
    server.release()
    assert.deepStrictEqual(open, { deflaters: 0, inflaters: 0 })
  })
})

describe("what to compress", () => {
  const begins = (options: PerMessageDeflate.Options, ...sizes: ReadonlyArray<number | undefined>) => {
    const { client } = ends(options, {})
    return sizes.map((size) => client.outgoing.begin(size))
  }

  it("is what is long enough, or not known to be short", () => {
    assert.deepStrictEqual(begins({}, 0, 1023, 1024, 1e9, undefined), [false, false, true, true, true])
    assert.deepStrictEqual(begins({ threshold: 0 }, 0, 1), [true, true])
    assert.deepStrictEqual(begins({ threshold: Infinity }, 1e9, undefined), [false, true])
  })

  it("is what the application says, from the threshold on", () => {
    const asked: Array<number | undefined> = []
    const compresses = (size: number | undefined) => {
      asked.push(size)
      return size !== 2000
    }
    assert.deepStrictEqual(begins({ compresses }, 10, 1500, 2000, undefined), [false, true, false, true])
    assert.deepStrictEqual(asked, [1500, 2000, undefined])
  })
})

describe("how much work compression is", () => {
  it("is what the options say: 6 and 8 by default", () => {
    const asked: Array<DeflateSettings> = []
    const asking = Layer.succeed(Zlib, {
      deflater: ({ level, memLevel, windowBits }) => {
        asked.push({ windowBits, level, memLevel })
        return { deflate: () => hex("0000"), reset: () => {}, close: () => {} }
      },
      inflater: () => assert.fail()
    })
    for (const options of [{}, { level: 1, memLevel: 9 } as const]) {
      const extension = Effect.runSync(Effect.provide(PerMessageDeflate.make({ ...takeover, ...options }), asking))
      const session = extension.answer([])!.session()
      send(session, [utf8("work")])
      session.release()
    }
    assert.deepStrictEqual(asked, [
      { windowBits: 15, level: 6, memLevel: 8 },
      { windowBits: 15, level: 1, memLevel: 9 }
    ])
  })
})

describe("what a connection holds", () => {
  it("is nothing between messages without takeover", () => {
    const { client, server } = ends(noTakeover, noTakeover)
    assert.deepStrictEqual(open, { deflaters: 0, inflaters: 0 })
    client.outgoing.begin(undefined)
    const first = client.outgoing.encode(utf8("Hel"), false).slice()
    assert.deepStrictEqual(open, { deflaters: 1, inflaters: 0 })
    const sent = concat(first, client.outgoing.encode(utf8("lo"), true).slice())
    assert.deepStrictEqual(open, { deflaters: 0, inflaters: 0 })
    server.incoming.feed(sent.subarray(0, 3), false)
    while (server.incoming.next() !== undefined);
    assert.deepStrictEqual(open, { deflaters: 0, inflaters: 1 })
    server.incoming.feed(sent.subarray(3), true)
    while (server.incoming.next() !== undefined);
    assert.deepStrictEqual(open, { deflaters: 0, inflaters: 0 })
    assert.isUndefined(server.incoming.next())
    client.release()
    server.release()
  })

  it("is an engine a direction with takeover, from the first message on", () => {
    const { client, server } = ends(takeover, takeover)
    assert.deepStrictEqual(open, { deflaters: 0, inflaters: 0 })
    const sent = send(client, [utf8("Hello")])
    assert.deepStrictEqual(open, { deflaters: 1, inflaters: 0 })
    receive(server, [sent])
    send(client, [utf8("Hello")])
    assert.deepStrictEqual(open, { deflaters: 1, inflaters: 1 })
    client.release()
    assert.deepStrictEqual(open, { deflaters: 0, inflaters: 1 })
    server.release()
    assert.deepStrictEqual(open, { deflaters: 0, inflaters: 0 })
  })

  it("is given back in the middle of a message, and forgets it", () => {
    for (const options of [takeover, noTakeover]) {
      for (let i = 0; i < 5; i++) {
        const { client, server } = ends(options, options)
        client.outgoing.begin(undefined)
        client.outgoing.encode(utf8("Hello".repeat(1000)), false)
        server.incoming.feed(hex("f248cd"), false)
        server.incoming.next()
        assert.deepStrictEqual(open, { deflaters: 1, inflaters: 1 })
        client.release()
        server.release()
        assert.deepStrictEqual(open, { deflaters: 0, inflaters: 0 })
      }
      const { client, server } = ends(options, options)
      assert.strictEqual(toHex(send(client, [utf8("Hello")])), "f248cdc9c90700")
      assert.strictEqual(text(receive(server, [hex("f248cdc9c90700")])), "Hello")
      client.release()
      server.release()
    }
  })
})

describe("what is not right", () => {
  const wrong: ReadonlyArray<readonly [string, string]> = [
    ["a reserved type of block", "ff"],
    ["a stored block whose length is not repeated", "0005000500"],
    ["a distance beyond the beginning", "f200110000"],
    ["data that is not flushed", "f248cdc9c907"],
    ["data that ends within a block", "f248cd"],
    ["an empty payload", ""],
    ["a stored block that is cut", "000500faff4865"],
    ["a stored block that the end of a flush would complete", "000600f9ff6161"],
    ["something behind the flush", "f248cdc9c9070048"]
  ]
  for (const [name, message] of wrong) {
    it(`RFC 7692 7.2.2: ${name} is a violation`, () => {
      for (const options of [takeover, noTakeover]) {
        for (const parts of cuts(hex(message))) {
          const { server } = ends(options, options)
          const reason = reasonOf(server, parts.length === 0 ? [none] : parts)
          if (reason?._tag !== "Violation") assert.fail(`${reason?._tag}`)
          assert.strictEqual(reason.section, "RFC 7692 section 7.2.2")
          assert.strictEqual(fromViolation(reason), 1007)
          server.release()
          assert.deepStrictEqual(open, { deflaters: 0, inflaters: 0 })
          const { server: another } = ends(options, options)
          assert.strictEqual(text(receive(another, [hex("f248cdc9c90700")])), "Hello")
          another.release()
        }
      }
    })
  }

  it("RFC 7692 7.2.2: what is cut, changed or made up is a message or a violation", () => {
    const next = random(11)
    const { client } = ends(noTakeover, noTakeover)
    for (let round = 0; round < 3_000; round++) {
      const good = send(client, [utf8("The quick brown fox jumps over the lazy dog. ".repeat(1 + (round % 9)))])
      const bad = round % 3 === 0
        ? Uint8Array.from({ length: 1 + Math.floor(next() * 60) }, () => next() * 256)
        : good.slice(0, round % 3 === 1 ? Math.floor(next() * good.length) : good.length)
      if (round % 3 === 2) bad[Math.floor(next() * bad.length)] ^= 1 << Math.floor(next() * 8)
      const { server } = ends(round % 2 === 0 ? takeover : noTakeover, takeover)
      for (let i = 0; i < 2; i++) {
        const reason = reasonOf(server, cuts(bad)[2 + (round % 20)] ?? [none])
        if (reason === undefined) continue
        assert.strictEqual(reason._tag, "Violation")
        break
      }
      server.release()
    }
    assert.deepStrictEqual(open, { deflaters: 0, inflaters: 0 })
  })

  it("an engine that fails otherwise is told apart from a peer that does", () => {
    const failing = Layer.succeed(Zlib, {
      deflater: () => assert.fail(),
      inflater: () => ({
        feed: () => {},
        next: () => {
          throw new Error("no memory")
        },
        flushed: () => true,
        reset: () => {},
        close: () => {}
      })
    })
    const extension = Effect.runSync(Effect.provide(PerMessageDeflate.make(), failing))
    const session = extension.answer([])!.session()
    const reason = reasonOf(session, [hex("00")])
    assert.strictEqual(reason?._tag, "Other")
    assert.strictEqual(reason?.message, "no memory")
    session.release()
  })
})

describe("bombs", () => {
  /** 1 GiB of zeros in about 1 MiB. */
  const bomb = (() => {
    const deflate = NativeZlib.deflateRawSync(new Uint8Array(67_108_864), {
      level: 9,
      finishFlush: NativeZlib.constants.Z_FULL_FLUSH
    })
    return concat(...Array.from({ length: 16 }, () => new Uint8Array(deflate)), hex("00"))
  })()

  const explode = (options: PerMessageDeflate.Options) => {
    const { server } = ends(noTakeover, { ...noTakeover, ...options })
    server.incoming.feed(bomb, true)
    const before = process.memoryUsage()
    let size = 0
    let reason: ConnectionReason | undefined
    try {
      for (let piece = server.incoming.next(); piece !== undefined; piece = server.incoming.next()) {
        assert.isAtMost(piece.length, 65_536)
        size += piece.length
      }
    } catch (error) {
      reason = error as ConnectionReason
    }
    const after = process.memoryUsage()
    server.release()
    assert.deepStrictEqual(open, { deflaters: 0, inflaters: 0 })
    return { size, reason, grown: after.arrayBuffers - before.arrayBuffers }
  }

  it("end when they are known as such", () => {
    assert.isBelow(bomb.length, 1_200_000)
    const { grown, reason, size } = explode({ maxRatio: 100 })
    if (reason?._tag !== "TooLarge") assert.fail(`${reason?._tag}`)
    assert.strictEqual(reason.limit, bomb.length * 100)
    assert.isAtMost(size, bomb.length * 100)
    assert.isBelow(grown, 200_000)
    const { reason: same, size: atFirst } = explode({ maxRatio: 1 })
    assert.strictEqual(same?._tag, "TooLarge")
    assert.strictEqual(atFirst, PerMessageDeflate.suspectSize)
    assert.strictEqual(explode({}).reason?._tag, "TooLarge")
  })

  it("cost no more than a piece at a time", () => {
    const { grown, reason, size } = explode({ maxRatio: Infinity })
    assert.isUndefined(reason)
    assert.strictEqual(size, 2 ** 30)
    assert.isBelow(grown, 200_000)
  })

  it("are not what is small", () => {
    const { client, server } = ends(noTakeover, noTakeover)
    const zeros = new Uint8Array(PerMessageDeflate.suspectSize)
    for (let i = 0; i < 2; i++) {
      const sent = send(client, [zeros])
      assert.isBelow(sent.length * 250, zeros.length)
      assert.strictEqual(receive(server, [sent]).length, zeros.length)
    }
  })
})

import { assert, describe, it } from "@effect/vitest"
import { Violation } from "@wirestack/protocol/Reason"
import * as Result from "effect/Result"
import * as Extension from "../../src/extensions/Extension.ts"
import { ExtensionChain } from "../../src/extensions/ExtensionChain.ts"
import { concat, cuts, random, text, utf8 } from "../support.ts"

const { Rsv1, Rsv2, Rsv3 } = Extension.Rsv
const none = new Uint8Array(0)

interface Toy {
  readonly name: string
  readonly rsv: number
  readonly offers?: ReadonlyArray<Extension.Params>
  /** The parameter a server wants to see. */
  readonly wants?: string
  readonly log?: Array<string>
  /** Messages of unknown size, and of this size on, are transformed. */
  readonly from?: number
}

/**
 * Writes its name behind each part and at the end of a message, and doubles each byte; it gives back pieces of at most 3
 * bytes, and wants all of this to be there.
 */
const toy = ({ from = 0, log = [], name, offers = [[]], rsv, wants }: Toy): Extension.Extension => {
  const session = (): Extension.Session => {
    log.push(`${name} opens`)
    let fed: Array<number> = []
    let ends = false
    return {
      outgoing: {
        begin: (size) => size === undefined || size >= from,
        encode: (part, last) => {
          const doubled = Array.from(part).flatMap((byte) => [byte, byte])
          return Uint8Array.from(last ? [...doubled, name.charCodeAt(0)] : doubled)
        }
      },
      incoming: {
        feed: (part, last) => {
          assert.isFalse(ends, `${name} is fed behind the end`)
          fed.push(...part)
          ends = last
        },
        next: () => {
          const count = Math.min(3, Math.floor((fed.length - (ends ? 1 : 0)) / 2))
          if (count <= 0) {
            if (ends) {
              if (fed[0] !== name.charCodeAt(0)) throw new Violation({ rule: `${name} ends messages` })
              fed = []
              ends = false
              log.push(`${name} ends`)
            }
            return undefined
          }
          const piece = Array.from({ length: count }, (_, i) => fed[i * 2])
          fed = fed.slice(count * 2)
          return Uint8Array.from(piece)
        }
      },
      release: () => void log.push(`${name} is released`)
    }
  }
  return {
    name,
    rsv,
    offers,
    agree: (answer) =>
      answer.some(([key]) => key === "bad")
        ? Result.fail(new Violation({ rule: "no bad parameters", section: "toys" }))
        : Result.succeed(session),
    answer: (offer) =>
      wants === undefined || offer.some(([key]) => key === wants) ? { params: offer.slice(0, 1), session } : undefined
  }
}

const [a, b, c] = [
  toy({ name: "a", rsv: Rsv1, offers: [[["x", "1"], ["y", undefined]], []] }),
  toy({ name: "b", rsv: Rsv2 }),
  toy({ name: "c", rsv: Rsv3 | Rsv2 })
]
const serverOnly = toy({ name: "s", rsv: Rsv3, offers: [] })

const agree = (...values: ReadonlyArray<string>) => Extension.agree([a, b, c, serverOnly], values)
const answer = (extensions: ReadonlyArray<Extension.Extension>, ...values: ReadonlyArray<string>) =>
  Result.getOrThrow(Extension.answer(extensions, values))
const names = (agreed: ReadonlyArray<Extension.Agreed>) => agreed.map(({ name }) => name).join(" ")

describe("offer", () => {
  it("RFC 6455 9.1: lists all offers of all extensions, in their order", () => {
    assert.deepStrictEqual(Extension.offer([a, serverOnly, b]), ["a; x=1; y", "a", "b"])
    assert.deepStrictEqual(Extension.offer([]), [])
  })
})

describe("agree", () => {
  it("RFC 6455 9.1: what the server lists is in use, in its order and with its parameters", () => {
    const agreed = Result.getOrThrow(agree("b; z", "a; x=2"))
    assert.deepStrictEqual(agreed.map(({ name, params, rsv }) => [name, params, rsv]), [
      ["b", [["z", undefined]], Rsv2],
      ["a", [["x", "2"]], Rsv1]
    ])
    assert.deepStrictEqual(Result.getOrThrow(agree()), [])
  })

  const wrong: ReadonlyArray<readonly [string, string, string]> = [
    ["RFC 6455 4.1: an extension that is unknown", "d", "RFC 6455 section 4.1"],
    ["RFC 6455 4.1: an extension that was not offered", "s", "RFC 6455 section 4.1"],
    ["RFC 6455 9.1: names in another case", "A", "RFC 6455 section 4.1"],
    ["RFC 6455 9.1: the same extension twice", "a, b, a", "RFC 6455 section 9.1"],
    ["RFC 6455 9.1: two that own the same bit", "a, b, c", "RFC 6455 section 9.1"],
    ["RFC 6455 9.1: a header that is malformed", "a;", "RFC 6455 section 9.1"],
    ["RFC 6455 9.1: an empty header", "", "RFC 6455 section 9.1"],
    ["RFC 6455 9.1: parameters the extension doesn't know", "b, a; bad", "toys"]
  ]
  for (const [name, value, section] of wrong) {
    it(`${name} is a violation`, () => {
      const agreed = agree(value)
      if (Result.isSuccess(agreed)) assert.fail(names(agreed.success))
      assert.strictEqual(agreed.failure.section, section)
    })
  }
})

describe("answer", () => {
  it("RFC 6455 9.1: accepts offers in the client's order", () => {
    const { agreed, header } = answer([a, b, c, serverOnly], "s; q=1, b", "a; x")
    assert.strictEqual(names(agreed), "s b a")
    assert.strictEqual(header, "s; q=1, b, a; x")
  })

  it("RFC 6455 9.1: ignores what it does not know", () => {
    assert.deepStrictEqual(answer([a], "unknown; x, A, other"), { header: undefined, agreed: [] })
    assert.deepStrictEqual(answer([a]), { header: undefined, agreed: [] })
    assert.strictEqual(answer([a], "unknown; x, a").header, "a")
  })

  it("RFC 6455 9.1: accepts the first offer of an extension that it can, and no second one", () => {
    const strict = toy({ name: "a", rsv: Rsv1, wants: "y" })
    assert.strictEqual(answer([strict, b], "a; x, a, a; y, b, a; y; z").header, "a; y, b")
    assert.strictEqual(answer([strict], "a; x, a").header, undefined)
  })

  it("RFC 6455 9.1: accepts no two extensions that own the same bit", () => {
    assert.strictEqual(answer([a, b, c], "c, b, a").header, "c, a")
    assert.strictEqual(answer([a, b, c], "b, c, a").header, "b, a")
  })

  it("RFC 6455 9.1: a malformed header is a violation", () => {
    assert.isTrue(Result.isFailure(Extension.answer([a], ["a; x=\"1"])))
    assert.isTrue(Result.isFailure(Extension.answer([], [""])))
  })
})

/** Both ends of a connection that uses these extensions. */
const ends = (...extensions: ReadonlyArray<Extension.Extension>) => {
  const { agreed } = answer(extensions, Extension.offer(extensions).join(", "))
  return [new ExtensionChain(agreed), new ExtensionChain(agreed)] as const
}

const send = (chain: ExtensionChain, parts: ReadonlyArray<Uint8Array>): Uint8Array =>
  concat(...[...parts, none].map((part, i) => chain.encode(part, i === parts.length).slice()))

const receive = (chain: ExtensionChain, bits: number, parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const pieces: Array<Uint8Array> = []
  chain.expect(bits)
  for (const [i, part] of parts.entries()) {
    chain.feed(part, i === parts.length - 1)
    for (let piece = chain.next(); piece !== undefined; piece = chain.next()) pieces.push(piece.slice())
  }
  return concat(...pieces)
}

describe("ExtensionChain", () => {
  it("RFC 6455 9.1: sends through all in their order, receives in reverse", () => {
    const [client, server] = ends(a, b)
    assert.strictEqual(client.rsv, Rsv1 | Rsv2)
    assert.strictEqual(client.begin(2), Rsv1 | Rsv2)
    const sent = send(client, [utf8("x"), utf8("y")])
    assert.strictEqual(text(sent), "xxxxyyyyaab")
    for (const parts of cuts(sent)) assert.strictEqual(text(receive(server, client.rsv, parts)), "xy")
  })

  it("RFC 6455 9.2: a message goes only through those whose bits it has", () => {
    const log: Array<string> = []
    const [client, server] = ends(
      toy({ name: "a", rsv: Rsv1, from: 5, log }),
      toy({ name: "b", rsv: Rsv2, from: 3, log }),
      toy({ name: "c", rsv: Rsv3, from: 4, log })
    )
    const next = random(1)
    for (let round = 0; round < 200; round++) {
      const message = Uint8Array.from({ length: Math.floor(next() * 12) }, () => next() * 256)
      const bits = client.begin(message.length)
      const expected = message.length >= 5 ? Rsv1 | Rsv2 | Rsv3 : message.length >= 3 ? Rsv2 | Rsv3 : 0
      assert.strictEqual(bits, expected)
      if (bits === 0) {
        assert.strictEqual(client.encode(message, true), message)
        continue
      }
      const sent = send(client, cuts(message)[round % 22])
      log.length = 0
      assert.deepStrictEqual(receive(server, bits, cuts(sent)[(round * 7) % 22]), message)
      assert.deepStrictEqual(log, bits === (Rsv2 | Rsv3) ? ["c ends", "b ends"] : ["c ends", "b ends", "a ends"])
    }
  })

  it("lets through what an extension throws", () => {
    const [, server] = ends(a, b)
    assert.throws(() => receive(server, Rsv1 | Rsv2, [utf8("xxb")]))
  })

  it("opens each extension once for the connection, and releases all", () => {
    const log: Array<string> = []
    const [client] = ends(toy({ name: "a", rsv: Rsv1, log }), toy({ name: "b", rsv: Rsv2, log }))
    assert.deepStrictEqual(log, ["a opens", "b opens", "a opens", "b opens"])
    client.release()
    assert.deepStrictEqual(log.slice(4), ["a is released", "b is released"])
  })
})

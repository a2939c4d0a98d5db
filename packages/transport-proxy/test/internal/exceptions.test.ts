import { assert, describe, it } from "@effect/vitest"
import * as Endpoint from "@wirestack/protocol/Endpoint"
import { Result, Schema } from "effect"
import { exceptions } from "../../src/internal/exceptions.ts"
import { targetOf } from "../../src/internal/targetOf.ts"

const octet = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 }))

const excepts = (list: string, host: string, port = 1): boolean =>
  Result.getOrThrow(exceptions(list))(targetOf(Endpoint.tcp(host, port).place)!)

describe("exceptions", () => {
  it.prop(
    "an address is in the network of its beginning, and in that of no other",
    [octet, octet, octet, octet],
    ([a, b, c, d]) => {
      const host = [a, b, c, d].join(".")
      assert.isTrue(excepts(`x.example, ${a}.${b}.0.0/16`, host))
      assert.isTrue(excepts(host, host))
      assert.isFalse(excepts(`${a}.${b ^ 1}.0.0/16 ${a}.${b}.${c}.${d ^ 1}`, host))
    }
  )

  it.prop("any text is a list or is refused", [Schema.String], ([text]) => {
    const list = exceptions(text)
    if (Result.isSuccess(list)) list.success(targetOf(Endpoint.tcp("chat.example", 1).place)!)
  })
})

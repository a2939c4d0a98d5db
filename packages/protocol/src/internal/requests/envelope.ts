/** What the peers of a `Requests.Service` say to each other, as a Schema. */
import * as Schema from "effect/Schema"
import type { Carried } from "../../typed/Codec.ts"
import type { Calls, Envelope } from "../../typed/Requests.ts"

const Id = Schema.Int.check(Schema.isGreaterThan(0))

const Rejected = Schema.TaggedStruct("Rejected", { id: Id, reason: Schema.Literals(["busy", "failed"]) })

const Interrupt = Schema.TaggedStruct("Interrupt", { id: Id })

/** Of which trace it is a part, as the W3C writes it. */
const traced = { traceparent: Schema.optionalKey(Schema.String) }

/** What the caller of these says. */
const asked = (calls: Calls, more: object): ReadonlyArray<Carried> =>
  Object.entries(calls).map(([call, { _tag, payload }]) =>
    _tag === "Call"
      ? Schema.TaggedStruct("Request", { id: Id, call: Schema.Literal(call), payload, ...more })
      : Schema.TaggedStruct("Notification", { call: Schema.Literal(call), payload, ...more })
  )

/** What those who answer these say. */
const answered = (calls: Calls): ReadonlyArray<Carried> =>
  Object.entries(calls).flatMap(([name, definition]) => {
    if (definition._tag === "Notification") return []
    const call = Schema.Literal(name)
    return [
      Schema.TaggedStruct("Success", { id: Id, call, value: definition.success }),
      Schema.TaggedStruct("Failure", { id: Id, call, error: definition.error })
    ]
  })

const hasCalls = (calls: Calls): boolean => Object.values(calls).some(({ _tag }) => _tag === "Call")

/** What one side says: the `own` calls are those it makes, and the `others` those it answers. */
export const envelope = (own: Calls, others: Calls, trace: boolean): Carried<Envelope> =>
  Schema.Union([
    ...asked(own, trace ? traced : {}),
    ...(hasCalls(own) ? [Interrupt] : []),
    ...answered(others),
    ...(hasCalls(others) ? [Rejected] : [])
  ]) as any

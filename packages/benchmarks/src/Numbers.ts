/** The calls that are measured: a number, and a stream of them. */
import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import * as RpcSerialization from "effect/rpc/RpcSerialization"
import * as Schema from "effect/Schema"

export const Numbers = RpcGroup.make(
  Rpc.make("Next", { payload: { n: Schema.Finite }, success: Schema.Finite }),
  Rpc.make("Range", { payload: { from: Schema.Finite, count: Schema.Finite }, success: Schema.Finite, stream: true })
)

export const serialization = RpcSerialization.layerNdjson

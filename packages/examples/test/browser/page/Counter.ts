/** Numbers, and their doubles. */
import * as Subprotocol from "@wirestack/protocol/typed/Subprotocol"
import * as Schema from "effect/Schema"

export class Counter extends Subprotocol.Service<Counter>()("counter.v1", { client: Schema.Int, server: Schema.Int }) {}

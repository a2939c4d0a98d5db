/** The same with Schemas that Effect has made into functions. */
// oxlint-disable-next-line import/no-unassigned-import
import "effect/schema/SchemaJITCompiler/enable"
import { Cbor, MessagePack } from "@wirestack/codecs"
import { Codec } from "@wirestack/protocol"
import { keeps } from "./support/keeps.ts"
import { Event } from "./support/values.ts"

keeps("JSON", { codec: Codec.json(), schema: Event })
keeps("SchemaBinary", { codec: Codec.binary(), schema: Event })
keeps("MessagePack", { codec: MessagePack.codec(), schema: Event })
keeps("records of CBOR", { codec: Codec.records({ Placed: 1, Grown: 2, Moved: 3 }, Cbor.codec()), schema: Event })

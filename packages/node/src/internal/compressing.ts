/** Compression of messages, on Node. */
import * as PerMessageDeflate from "@wirestack/websocket/extensions/PerMessageDeflate"
import type { Zlib } from "@wirestack/websocket/extensions/Zlib"
import * as Layer from "effect/Layer"
import * as NodeZlib from "../NodeZlib.ts"

export interface Compressing {
  /** Whether and how messages are compressed (permessage-deflate); not by default. */
  readonly compression?: boolean | PerMessageDeflate.Options
}

export const extensionsOf = ({ compression = false }: Compressing) =>
  compression === false ? [] : [PerMessageDeflate.make(compression === true ? {} : compression)]

/** What compression needs, if there is any. */
export const engines = ({ compression = false }: Compressing): Layer.Layer<Zlib> =>
  compression === false ? Layer.empty as Layer.Layer<never> as Layer.Layer<any> : NodeZlib.layer

/** What is the same for all connections of a layer. */
import { timing } from "@wirestack/protocol/liveness/Pulse"
import type { CommonOptions, ServerOptions } from "../WebSocket.ts"
import type { Framed, Options as FramedOptions } from "./Framed.ts"
import { Hearts } from "./Hearts.ts"

type Options = CommonOptions<any, any> & Pick<ServerOptions<any, any>, "firstMessageWithin">

export interface Role<In, Out> {
  readonly role: "client" | "server"
  readonly options: Options
  readonly machine: (options: FramedOptions) => Framed<In, Out>
  readonly hearts: Hearts | undefined
}

/** Makes a connection's machine; `transforms` are those of the options. */
export type MakeMachine<In, Out> = (
  options: FramedOptions,
  transforms: CommonOptions<any, any>["transforms"]
) => Framed<In, Out>

export const make = <In, Out>(
  role: Role<In, Out>["role"],
  options: Options,
  machine: MakeMachine<In, Out>
): Role<In, Out> => {
  const { heartbeat = {}, transforms } = options
  return {
    role,
    options,
    machine: (framed) => machine(framed, transforms),
    hearts: heartbeat === "off" ? undefined : new Hearts(timing(heartbeat))
  }
}

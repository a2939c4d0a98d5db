/** The wire of a Unix socket, and what it tells. */
import { type Intake, SocketWire } from "@wirestack/protocol/wire/SocketWire"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Net from "node:net"
import { UnixInfo } from "../UnixInfo.ts"
import { adopt } from "./adopt.ts"
import { outletOf } from "./outlet.ts"

export const layerName = "unix"

const options = { layer: layerName, bare: true, adopt, copies: true }

export const wireOf = (socket: Net.Socket, intake: Intake | undefined): SocketWire =>
  new SocketWire(socket, options, intake, outletOf(socket))

export const details = (path: string, connectTime: Duration.Duration): Context.Context<UnixInfo> =>
  Context.make(UnixInfo, { path, connectTime })

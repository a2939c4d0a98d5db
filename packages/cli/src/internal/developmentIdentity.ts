/** A certificate for this run, and its authority in a file, for clients to trust. */

import { hostOf } from "@wirestack/protocol/Endpoint"
import type { Identity } from "@wirestack/transport-tls/Identity"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import type { StackUrl } from "../StackUrl.ts"

export interface Development {
  readonly identity: Identity
  /** Where the authority's certificate is, until the scope closes. */
  readonly file: string
}

const always = ["localhost", "127.0.0.1", "::1"]

/** For `localhost`, and the host of the URL. */
export const developmentIdentity = Effect.fnUntraced(function*({ endpoint }: StackUrl) {
  const { DevelopmentCertificates } = yield* Effect.promise(() => import("@wirestack/transport-tls/testing"))
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const authority = yield* DevelopmentCertificates.make({ commonName: "wirestack development" })
  const host = hostOf(endpoint.place)
  const identity = yield* authority.issue({ names: [...new Set([...host === undefined ? [] : [host], ...always])] })
  const file = path.join(yield* fs.makeTempDirectoryScoped({ prefix: "wirestack-" }), "ca.pem")
  yield* fs.writeFileString(file, authority.ca)
  const made: Development = { identity, file }
  return made
})

/** SHA-1 in Base64: by the runtime where it can be asked for at once, else in JavaScript, which takes some times as long. */
import { sha1 } from "@noble/hashes/legacy.js"
import * as Utf8 from "@wirestack/protocol/bytes/Utf8"
import * as Base64 from "effect/encoding/Base64"
import { process } from "./platform.ts"

type Hash = (text: string) => string

export const inScript: Hash = (text) => Base64.encode(sha1(Utf8.encode(text)))

const ofRuntime = (): Hash | undefined => {
  const hash = process?.getBuiltinModule?.("node:crypto")?.hash
  return hash === undefined ? undefined : (text) => hash("sha1", text, "base64")
}

export const sha1Base64: Hash = ofRuntime() ?? inScript

/**
 * Digest authentication: who knows the password shows it, and does not say it. HTTP has it (RFC 7616), and so have SIP (RFC 8760) and RTSP.
 *
 * It is sans-IO: hashes are those of the platform, and nonces are counted by who uses them. Of several challenges the one with the best hash
 * that is known is answered; `auth-int` and the `-sess` variants are not. MD5 is there as older servers know nothing else.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7616
 */

/** What a server wants to know. */
export interface Challenge {
  readonly realm: string
  readonly nonce: string
  readonly algorithm: "MD5" | "SHA-256"
  readonly qop: boolean
  readonly opaque: string | undefined
  /** It was the right answer to a question of the past. */
  readonly stale: boolean
}

/** Who we are. */
export interface Account {
  readonly username: string
  readonly password: string
}

/** What is asked for with the answer. */
export interface Asking {
  /** The method and the URI of the request line. */
  readonly method: string
  readonly uri: string
  /** What nobody else has chosen. */
  readonly cnonce: string
  /** How often the nonce was used, this time included. */
  readonly count: number
  /** The hash of a text in hexadecimal, such as `createHash` of Node gives it. */
  readonly hash: (algorithm: "md5" | "sha256", text: string) => string
}

const hashes = { "MD5": "md5", "SHA-256": "sha256" } as const

/** A parameter, and the scheme before it where a challenge begins. It begins where a word does, so that nothing is looked at again. */
const parameter = /(?<![\w-])(?:([\w-]+)[ \t]+)?([\w-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))/g

/** The parameters of each challenge of Digest; those of several schemes may lie in one header (RFC 9110 section 11.6.1). */
const digests = (header: string): ReadonlyArray<ReadonlyMap<string, string>> => {
  const found: Array<Map<string, string>> = []
  let current = new Map<string, string>()
  for (const [, scheme, name, quoted, plain] of header.matchAll(parameter)) {
    if (scheme !== undefined) {
      current = new Map()
      if (scheme.toLowerCase() === "digest") found.push(current)
    }
    current.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, "$1") ?? plain)
  }
  return found
}

/** The longest header that is read, in characters. */
const maxLength = 4_096

/** A challenge, if it is one that can be answered. */
const parse = (found: ReadonlyMap<string, string>): Challenge | undefined => {
  const algorithm = (found.get("algorithm") ?? "MD5").toUpperCase()
  const realm = found.get("realm")
  const nonce = found.get("nonce")
  const qop = found.get("qop")
  const isKnown = qop === undefined || qop.split(",").some((one) => one.trim().toLowerCase() === "auth")
  if (realm === undefined || nonce === undefined || !isKnown || !(algorithm in hashes)) return undefined
  return {
    realm,
    nonce,
    algorithm: algorithm as Challenge["algorithm"],
    qop: qop !== undefined,
    opaque: found.get("opaque"),
    stale: found.get("stale")?.toLowerCase() === "true"
  }
}

/**
 * Of the challenges in `WWW-Authenticate` or `Proxy-Authenticate` the one whose hash is best; undefined if none can be answered. A header
 * may have several of them, and is not read if it has more than 4,096 characters.
 */
export const strongest = (headers: ReadonlyArray<string>): Challenge | undefined => {
  const challenges = headers
    .flatMap((header) => header.length > maxLength ? [] : digests(header))
    .map(parse)
    .filter((challenge) => challenge !== undefined)
  return challenges.find(({ algorithm }) => algorithm === "SHA-256") ?? challenges[0]
}

/** What is quoted may be secret, and is not said in the error. */
const quoted = (text: string): string => {
  if (/[\0-\x1f\x7f]/.test(text)) throw new RangeError("a header can't have control characters")
  return `"${text.replace(/["\\]/g, "\\$&")}"`
}

const largestCount = 0xffffffff

/**
 * The header `Authorization` or `Proxy-Authorization` that answers a challenge. Throws a `RangeError` for control characters, which could
 * begin another header, and for a `count` that is not a whole number of 32 bits from 1.
 */
export const answer = (
  { algorithm, nonce, opaque, qop, realm }: Challenge,
  { password, username }: Account,
  { cnonce, count, hash: digest, method, uri }: Asking
): string => {
  if (!(Number.isInteger(count) && count >= 1 && count <= largestCount)) {
    throw new RangeError(`a nonce can't be used for the ${count}th time`)
  }
  const hash = (...parts: ReadonlyArray<string>) => digest(hashes[algorithm], parts.join(":"))
  const nc = count.toString(16).padStart(8, "0")
  const secret = hash(username, realm, password)
  const request = hash(method, uri)
  const response = qop ? hash(secret, nonce, nc, cnonce, "auth", request) : hash(secret, nonce, request)
  return [
    `Digest username=${quoted(username)}`,
    `realm=${quoted(realm)}`,
    `nonce=${quoted(nonce)}`,
    `uri=${quoted(uri)}`,
    `response="${response}"`,
    `algorithm=${algorithm}`,
    ...qop ? ["qop=auth", `nc=${nc}`, `cnonce=${quoted(cnonce)}`] : [],
    ...opaque === undefined ? [] : [`opaque=${quoted(opaque)}`]
  ].join(", ")
}

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

const parameters = (header: string): ReadonlyMap<string, string> =>
  new Map(
    Array.from(
      header.matchAll(/([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))/g),
      ([, name, quoted, plain]) => [name.toLowerCase(), quoted?.replace(/\\(.)/g, "$1") ?? plain]
    )
  )

/** The longest challenge that is read, in characters. */
const maxLength = 4_096

/** A challenge, if it is one that can be answered. */
const parse = (header: string): Challenge | undefined => {
  if (header.length > maxLength) return undefined
  const scheme = /^digest\s+/i.exec(header)
  if (scheme === null) return undefined
  const found = parameters(header.slice(scheme[0].length))
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
 * Of the challenges in `WWW-Authenticate` or `Proxy-Authenticate` the one whose hash is best; undefined if none can be answered. One of more
 * than 4,096 characters is not read.
 */
export const strongest = (headers: ReadonlyArray<string>): Challenge | undefined => {
  const challenges = headers.map(parse).filter((challenge) => challenge !== undefined)
  return challenges.find(({ algorithm }) => algorithm === "SHA-256") ?? challenges[0]
}

const quoted = (text: string): string => `"${text.replace(/["\\]/g, "\\$&")}"`

/** The header `Authorization` or `Proxy-Authorization` that answers a challenge. */
export const answer = (
  { algorithm, nonce, opaque, qop, realm }: Challenge,
  { password, username }: Account,
  { cnonce, count, hash: digest, method, uri }: Asking
): string => {
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

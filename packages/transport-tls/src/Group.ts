/** The groups for the exchange of keys: RFC 8446 section 4.2.7, RFC 9794 for the hybrid ones. */

/** A group. The ones with MLKEM also withstand quantum computers; they need OpenSSL 3.5 (Node 24). */
export type Group = "X25519MLKEM768" | "SecP256r1MLKEM768" | "X25519" | "X448" | "P-256" | "P-384" | "P-521"

const [major, minor] = process.versions.openssl.split(".").map(Number)
const hybrids = major > 3 || (major === 3 && minor >= 5)

/** What is asked for by default, most wanted first. */
export const modern: ReadonlyArray<Group> = hybrids
  ? ["X25519MLKEM768", "X25519", "P-256", "P-384"]
  : ["X25519", "P-256", "P-384"]

/** A list as OpenSSL takes it. A client begins with keys for the first two, so that most servers need not ask again. */
export const format = (groups: ReadonlyArray<Group>): string =>
  groups.map((group, i) => hybrids && i < 2 ? `*${group}` : group).join(":")

const aliases: Record<string, Group> = {
  prime256v1: "P-256",
  secp256r1: "P-256",
  secp384r1: "P-384",
  secp521r1: "P-521",
  x25519: "X25519",
  x448: "X448"
}

/** The name of a group by what OpenSSL calls it. */
export const nameOf = (name: string): string => aliases[name] ?? name

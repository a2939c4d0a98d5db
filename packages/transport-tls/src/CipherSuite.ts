/** The cipher suites that can be asked for, by their IANA names: those with forward secrecy and authenticated encryption. */

/** What OpenSSL calls them; those of TLS 1.3 have one name. */
const names = {
  TLS_AES_128_GCM_SHA256: "TLS_AES_128_GCM_SHA256",
  TLS_AES_256_GCM_SHA384: "TLS_AES_256_GCM_SHA384",
  TLS_CHACHA20_POLY1305_SHA256: "TLS_CHACHA20_POLY1305_SHA256",
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: "ECDHE-ECDSA-AES128-GCM-SHA256",
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: "ECDHE-RSA-AES128-GCM-SHA256",
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: "ECDHE-ECDSA-AES256-GCM-SHA384",
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: "ECDHE-RSA-AES256-GCM-SHA384",
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-ECDSA-CHACHA20-POLY1305",
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-RSA-CHACHA20-POLY1305",
  TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-PSK-CHACHA20-POLY1305"
} as const

/** The IANA name of a cipher suite. */
export type CipherSuite = keyof typeof names

/** What is asked for by default, most wanted first: RFC 9325 section 4.2. The one with a pre-shared key counts only where there is one. */
export const modern = Object.keys(names) as ReadonlyArray<CipherSuite>

/** A list as OpenSSL takes it. */
export const format = (suites: ReadonlyArray<CipherSuite>): string => suites.map((suite) => names[suite]).join(":")

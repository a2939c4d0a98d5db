/** The alerts with which a peer ends TLS: RFC 8446 section 6. */

/** Codes by name, in the order of RFC 8446 appendix B.2; those of TLS 1.2 that 1.3 reserves are included. */
export const codes = {
  close_notify: 0,
  unexpected_message: 10,
  bad_record_mac: 20,
  decryption_failed: 21,
  record_overflow: 22,
  decompression_failure: 30,
  handshake_failure: 40,
  no_certificate: 41,
  bad_certificate: 42,
  unsupported_certificate: 43,
  certificate_revoked: 44,
  certificate_expired: 45,
  certificate_unknown: 46,
  illegal_parameter: 47,
  unknown_ca: 48,
  access_denied: 49,
  decode_error: 50,
  decrypt_error: 51,
  export_restriction: 60,
  protocol_version: 70,
  insufficient_security: 71,
  internal_error: 80,
  inappropriate_fallback: 86,
  user_canceled: 90,
  no_renegotiation: 100,
  missing_extension: 109,
  unsupported_extension: 110,
  certificate_unobtainable: 111,
  unrecognized_name: 112,
  bad_certificate_status_response: 113,
  bad_certificate_hash_value: 114,
  unknown_psk_identity: 115,
  certificate_required: 116,
  no_application_protocol: 120
} as const

/** The name of an alert. */
export type Name = keyof typeof codes

/** The name of an alert by its number, if there is one. */
export const nameOf = (code: number): Name | undefined => {
  for (const name in codes) if (codes[name as Name] === code) return name as Name
  return undefined
}

/**
 * The alert that an error of OpenSSL reports, if it reports one. Its message carries the packed error: library 20 (TLS)
 * and above 1000 the number of the alert, as in `error:0A000412:SSL routines:...`.
 */
export const fromMessage = (message: string): Name | undefined => {
  const match = /\berror:0A([0-9A-F]{6}):/i.exec(message)
  return match === null ? undefined : nameOf(Number.parseInt(match[1], 16) - 1000)
}

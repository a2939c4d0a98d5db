/** Parts for the tests of what stands on TLS. */
export * as DevelopmentCertificates from "./DevelopmentCertificates.ts"

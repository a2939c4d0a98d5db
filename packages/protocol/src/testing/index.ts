/**
 * What a transport, protocol or framer of your own must keep, as suites any test framework can run, and the parts they
 * are made of.
 */
export * as Samples from "./samples.ts"
export * from "./leaks.ts"
export * from "./rechunk.ts"
export * from "./transportSuite.ts"

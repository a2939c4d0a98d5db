/**
 * What a transport, protocol or framer of your own must keep, as suites any test framework can run, and the parts they
 * are made of.
 */
export * from "./codecSuite.ts"
export * from "./framerSuite.ts"
export * from "./leaks.ts"
export * as MachineSuite from "./machineSuite.ts"
export * from "./protocolSuite.ts"
export * from "./rechunk.ts"
export * as Replay from "./replay.ts"
export * as Samples from "./samples.ts"
export * as Script from "./script.ts"
export * as Transcript from "./transcript.ts"
export * from "./transportSuite.ts"

/** What the tests of several packages share. */
export * from "./collect.ts"
export * from "./notUtf8.ts"
export * from "./pattern.ts"
export * from "./random.ts"
export * from "./reasonOf.ts"
export * from "./resources.ts"
export * from "./take.ts"
export * from "./until.ts"

export * as RedisBackplane from "./RedisBackplane.ts"

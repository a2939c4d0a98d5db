export * as ExitCode from "./ExitCode.ts"
export * as Stack from "./Stack.ts"
export * as StackUrl from "./StackUrl.ts"

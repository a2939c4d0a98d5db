export { random } from "@wirestack/protocol/faults/random"

/** What the browser remembers: of us for all tabs, and what this tab has said and nobody has confirmed. */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Key, Name, Text } from "../Chat.ts"

const Profile = Schema.Struct({ name: Name, secret: Schema.String, rooms: Schema.Array(Name) })
export type Profile = typeof Profile.Type

const Unsaid = Schema.Array(Schema.Struct({ room: Name, key: Key, text: Text, at: Schema.Finite }))

/** Undefined where the storage is full, or switched off, of which a browser tells only who touches it. */
const attempt = <A>(use: () => A): A | undefined => {
  try {
    return use()
  } catch {
    return undefined
  }
}

/** A place for a value; what can't be read there is not there, and where nothing can be written nothing is. */
const place = <A, I>(storage: () => Storage, name: string, schema: Schema.Codec<A, I>) => {
  const decode = Schema.decodeUnknownOption(Schema.fromJsonString(schema))
  return {
    get: (): A | undefined => Option.getOrUndefined(decode(attempt(() => storage().getItem(name)))),
    set: (value: A): void => attempt(() => storage().setItem(name, JSON.stringify(value)))
  }
}

export const profile = place(() => localStorage, "wirestack.chat", Profile)
export const unsaid = place(() => sessionStorage, "wirestack.chat.unsaid", Unsaid)

/**
 * A message for many, with what layers make of it on its way down: each form is made once, by whoever needs it first.
 *
 *     value --codec--> text --WebSocket--> frame        one each, however many connections it is for
 *
 * A form belongs to a key: whoever makes the same of every message shares it, such as the connections of one codec, or all servers that
 * frame without extensions. A failure to make one is remembered too. Bytes that are shared are nobody's own: they are given as
 * they are only to a wire that copies what it writes, and each other gets a copy, also of those in the fields of a record.
 */

import * as Loan from "../bytes/Loan.ts"
import type { Wire } from "../wire/Wire.ts"

class Unmade {
  readonly thrown: unknown

  constructor(thrown: unknown) {
    this.thrown = thrown
  }
}

/** A message with bytes of its own. The `slice` of a Node `Buffer` would be a view of the same. */
const apart = (message: unknown): unknown => {
  if (message instanceof Uint8Array) return new Uint8Array(message)
  if (!isPlain(message)) return message
  const fields = Object.entries(message).filter(([, value]) => value instanceof Uint8Array)
  return fields.length === 0
    ? message
    : { ...message, ...Object.fromEntries(fields.map(([name, field]) => [name, apart(field)])) }
}

/** Whether it is a record, and no instance of a class, of which nobody else can make a copy. */
const isPlain = (message: unknown): message is object =>
  typeof message === "object" && message !== null && Object.getPrototypeOf(message) === Object.prototype

export class Prepared<out A> {
  readonly message: A
  private forms: Map<object, Prepared<unknown> | Unmade> | undefined = undefined

  /** A message that is lent is copied. */
  constructor(message: A) {
    this.message = message instanceof Uint8Array ? Loan.own(message) as A : message
  }

  /** The form of this key, and how it is made if it is not there yet. */
  form<B>(key: object, make: (message: A) => B): Prepared<B> {
    const known = this.forms?.get(key)
    const form = known ?? this.made(make)
    if (known === undefined) (this.forms ??= new Map()).set(key, form)
    if (form instanceof Unmade) throw form.thrown
    return form as Prepared<B>
  }

  private made<B>(make: (message: A) => B): Prepared<B> | Unmade {
    try {
      return new Prepared(make(this.message))
    } catch (thrown) {
      return new Unmade(thrown)
    }
  }

  /** The message, to be kept. */
  get copy(): A {
    return apart(this.message) as A
  }

  /** The bytes of it and of all its forms. */
  get weight(): number {
    let weight = this.own
    if (this.forms !== undefined) {
      for (const form of this.forms.values()) if (form instanceof Prepared) weight += form.weight
    }
    return weight
  }

  /** The bytes of it as text or bytes: its own, or of the form that was made of it first. */
  get size(): number {
    if (this.own > 0 || this.forms === undefined) return this.own
    for (const form of this.forms.values()) if (form instanceof Prepared) return form.size
    return 0
  }

  private get own(): number {
    const { message } = this
    return typeof message === "string" || message instanceof Uint8Array ? message.length : 0
  }
}

/** Writes a message for many to one wire. */
export const write = <A>(wire: Wire<any, A>, message: Prepared<A>): void => {
  if (wire.writePrepared === undefined) wire.write(wire.copies === true ? message.message : message.copy)
  else wire.writePrepared(message)
}

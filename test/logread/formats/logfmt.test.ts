import { describe, expect, it } from 'vitest'
import { logfmtFormat } from '../../../src/logread/formats/logfmt.ts'
import { gap, sample } from '../../support/entries.ts'
import { formatted } from '../../support/formatted.ts'

const line = (given: Parameters<typeof sample>[1]) => formatted(logfmtFormat, [sample(7, given)])

describe('logfmt', () => {
  it('quotes what needs it', () => {
    expect(line({ priority: 3 })).toBe(
      'time=2017-04-15T15:37:44.123456789Z source=rngd.stderr level=err msg="line 7" seq=7\n',
    )
    expect(line({ message: 'plain', source: 'a=b' })).toContain(' source="a=b" msg=plain seq=7\n')
    expect(line({ message: '' })).toContain(' msg="" ')
    expect(line({ message: 'a"b\\c\nd\x1b' })).toContain(' msg="a\\"b\\\\c\\nd\\u001b" ')
    expect(line({ message: Buffer.of(0x61, 0xff) })).toContain(' msg="a\ufffd" ')
    expect(line({ message: '\x9b' })).toContain(' msg="\\u009b" ')
    expect(line({ message: 'gefäß' })).toContain(' msg=gefäß ')
  })

  it('shows fields under names that can be read back', () => {
    const fields = { pid: '7', 'a b=c"': 'x', msg: 'other', ü: 'y' }
    expect(line({ fields, flags: 1, cutBytes: 9 })).toContain(' seq=7 cut=9 pid=7 a_b_c_=x field.msg=other _=y\n')
  })

  it('marks gaps', () => {
    expect(formatted(logfmtFormat, [gap(5, 3)])).toContain(' kind=gap lost=3 reason=overwritten\n')
  })
})

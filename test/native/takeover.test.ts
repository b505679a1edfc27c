import { describeTests } from './hosted.ts'

describeTests('takeover.py')

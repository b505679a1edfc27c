import { describeTests } from './hosted.ts'

describeTests('blocked.py')

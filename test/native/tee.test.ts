import { describeTests } from './hosted.ts'

describeTests('tee.py')

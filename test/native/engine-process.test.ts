import { describeTests } from './hosted.ts'

describeTests('engine-process.py')

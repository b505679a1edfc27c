import { describeTests } from './hosted.ts'

describeTests('inputs.py')

import { describeTests } from './hosted.ts'

describeTests('intake.py')

import { describeStories } from './hosted.ts'

describeStories('intake.py')

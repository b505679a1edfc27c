import { describeStories } from './hosted.ts'

describeStories('inputs.py')

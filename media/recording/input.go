package recording

import "github.com/hookswitch/hookswitch/media/pcm"

// input is a queue of what one tap heard, at most three frames.
type input struct {
	channel   int
	frame     int     // samples of a frame of the recording
	queue     []int16 // the oldest first
	length    int     // samples of a frame that resampler is for
	resampler *pcm.Resampler
}

// put queues a frame, in place of the oldest one when there is no room.
func (in *input) put(f pcm.Frame) {
	if len(in.queue) > (mostQueued-1)*in.frame {
		in.queue = in.queue[:copy(in.queue, in.queue[in.frame:])]
	}
	if len(f) == in.frame || len(f) == 0 {
		in.queue = append(in.queue, f...)
		return
	}
	if len(f) != in.length {
		in.length = len(f)
		in.resampler = pcm.NewResampler(second*len(f), second*in.frame)
	}
	in.queue = in.resampler.Resample(in.queue, f)
}

// mix adds the oldest frame to sum and takes it off the queue.
func (in *input) mix(sum []int32) {
	n := min(len(in.queue), len(sum))
	for i, v := range in.queue[:n] {
		sum[i] += int32(v)
	}
	in.queue = in.queue[:copy(in.queue, in.queue[n:])]
}

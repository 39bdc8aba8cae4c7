// Package orders produces orders and consumes them again. `kstrim run` sets the environment.
package orders

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestOrdersComeBack(t *testing.T) {
	topic := os.Getenv("KSTRIM_TOPIC_ORDERS")
	servers := strings.Split(os.Getenv("KAFKA_BOOTSTRAP_SERVERS"), ",")
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()

	producer, err := kgo.NewClient(
		kgo.SeedBrokers(servers...),
		kgo.DefaultProduceTopic(topic),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
	)
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	var orders []string
	var records []*kgo.Record
	for n := range 10 {
		orders = append(orders, fmt.Sprintf("order %d", n))
		records = append(records, kgo.StringRecord(orders[n]))
	}
	produced := producer.ProduceSync(ctx, records...)
	if err := produced.FirstErr(); err != nil {
		t.Fatal(err)
	}

	first := kgo.NewOffset().At(produced[0].Record.Offset)
	consumer, err := kgo.NewClient(
		kgo.SeedBrokers(servers...),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: first}}),
	)
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	var consumed []string
	for len(consumed) < len(orders) {
		fetches := consumer.PollFetches(ctx)
		if errs := fetches.Errors(); len(errs) > 0 {
			t.Fatal(errs)
		}
		fetches.EachRecord(func(record *kgo.Record) { consumed = append(consumed, string(record.Value)) })
	}
	if !slices.Equal(orders, consumed) {
		t.Fatalf("produced %v, consumed %v", orders, consumed)
	}
}

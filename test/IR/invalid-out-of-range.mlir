// RUN: embedding-opt %s --split-input-file --verify-diagnostics

func.func @find_index_type(%indices: tensor<4xf32>, %num_rows: index) {
  // expected-error@+1 {{operand #0 must be}}
  %0:3 = embedding.find_out_of_range %indices, %num_rows : tensor<4xf32>
  return
}

// -----

func.func @report_type(%position: i32, %index: i64, %count: i64, %n: index) {
  // expected-note@-1 {{prior use here}}
  // expected-error@+1 {{expects different type than prior uses}}
  embedding.report_out_of_range %position, %index, %count of %n, "indices"
  return
}

// -----

func.func @offset_alone(%n: index) {
  // expected-error@+1 {{expected an offset together with what it is in}}
  "embedding.expect_size"(%n, %n, %n) <{what = "", operandSegmentSizes = array<i32: 1, 1, 1, 0>}>
    : (index, index, index) -> ()
  return
}

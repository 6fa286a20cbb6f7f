// What may be hoisted out of a loop that may not run, and what may not.
// RUN: embedding-opt %s --loop-invariant-code-motion | FileCheck %s
// RUN: embedding-opt %s --cse | FileCheck %s --check-prefix=CSE

// CHECK-LABEL: func @hoist
func.func @hoist(%table: tensor<10x3xf32>, %indices: tensor<4xi64>,
                 %init: tensor<4x3xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // CHECK: embedding.lookup out_of_range(clamp)
  // CHECK: scf.for
  // CHECK: embedding.lookup out_of_range(assume)
  // CHECK: embedding.lookup ins
  scf.for %i = %c0 to %n step %c1 {
    %0 = embedding.lookup out_of_range(clamp)
           ins(%table, %indices : tensor<10x3xf32>, tensor<4xi64>)
           outs(%init : tensor<4x3xf32>) -> tensor<4x3xf32>
    %1 = embedding.lookup out_of_range(assume)
           ins(%table, %indices : tensor<10x3xf32>, tensor<4xi64>)
           outs(%init : tensor<4x3xf32>) -> tensor<4x3xf32>
    %2 = embedding.lookup ins(%table, %indices : tensor<10x3xf32>, tensor<4xi64>)
           outs(%init : tensor<4x3xf32>) -> tensor<4x3xf32>
    func.call @use(%0, %1, %2) : (tensor<4x3xf32>, tensor<4x3xf32>, tensor<4x3xf32>) -> ()
  }
  return
}

// CSE-LABEL: func @same
func.func @same(%table: tensor<10x3xf32>, %indices: tensor<4xi64>,
                %init: tensor<4x3xf32>) -> (tensor<4x3xf32>, tensor<4x3xf32>) {
  // CSE: %[[ROWS:.*]] = embedding.lookup
  // CSE-NOT: embedding.lookup
  // CSE: return %[[ROWS]], %[[ROWS]]
  %0 = embedding.lookup out_of_range(assume)
         ins(%table, %indices : tensor<10x3xf32>, tensor<4xi64>)
         outs(%init : tensor<4x3xf32>) -> tensor<4x3xf32>
  %1 = embedding.lookup out_of_range(assume)
         ins(%table, %indices : tensor<10x3xf32>, tensor<4xi64>)
         outs(%init : tensor<4x3xf32>) -> tensor<4x3xf32>
  return %0, %1 : tensor<4x3xf32>, tensor<4x3xf32>
}


func.func private @use(tensor<4x3xf32>, tensor<4x3xf32>, tensor<4x3xf32>)
